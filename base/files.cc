#include "base/files.h"

#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

namespace usher {
namespace {

std::string who(uid_t uid, gid_t gid) {
  return "uid " + std::to_string(uid) + ", gid " + std::to_string(gid);
}

std::string owner_and_mode(const struct stat& info) {
  std::array<char, 8> mode{};
  std::snprintf(mode.data(), mode.size(), "%04o", static_cast<unsigned>(info.st_mode & 07777));
  return "belongs to " + who(info.st_uid, info.st_gid) + ", mode " + mode.data();
}

// "/", "/certs", "/certs/live": the folders that lead to a file, from the top.
std::vector<std::string> folders_of(const std::string& path) {
  std::vector<std::string> folders;
  for (size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1))
    folders.push_back(path.substr(0, slash == 0 ? 1 : slash));
  return folders;
}

// The path, and where its symbolic link leads. Empty: it is none.
std::string target_of(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length <= 0) return {};
  std::string text(target.data(), static_cast<size_t>(length));
  if (text.starts_with('/')) return text;
  return path.substr(0, path.rfind('/') + 1) + text;
}

// Enough for what people build; a loop ends here.
constexpr int most_links = 8;

std::string what_is_missing(std::string path) {
  std::string text;
  for (int i = 0; i < most_links; ++i) {
    for (const std::string& folder : folders_of(path)) {
      struct stat info {};
      if (::stat(folder.c_str(), &info) != 0) return text + "there is no " + folder;
      if (!S_ISDIR(info.st_mode)) return text + folder + " is no folder";
    }
    std::string target = target_of(path);
    if (target.empty()) break;
    text = "it is a link to " + target + ", and ";
    path = std::move(target);
  }
  return text + "there is no " + path +
         (text.empty() ? "" : "; in a container, the folder that it leads to must be mounted too");
}

std::string what_is_forbidden(std::string path) {
  struct stat info {};
  for (int i = 0; i < most_links; ++i) {
    for (const std::string& folder : folders_of(path)) {
      if (::faccessat(AT_FDCWD, folder.c_str(), X_OK, AT_EACCESS) == 0) continue;
      if (errno != EACCES || ::stat(folder.c_str(), &info) != 0) break;
      return "the folder " + folder + " " + owner_and_mode(info);
    }
    std::string target = target_of(path);
    if (target.empty()) break;
    path = std::move(target);
  }
  if (::stat(path.c_str(), &info) != 0) return {};
  return (S_ISDIR(info.st_mode) ? "the folder " : "the file ") + path + " " + owner_and_mode(info);
}

Error read_error(const std::string& path, int error) {
  const Errc code = error == ENOENT || error == ENOTDIR ? Errc::not_found : Errc::bad_config;
  return {code, Side::usher, "cannot be read: " + why_not(path, error, "read")};
}

}  // namespace

std::string why_not(const std::string& path, int error, std::string_view verb) {
  std::string text = std::strerror(error);
  const uid_t uid = ::geteuid();
  if (error == ENOENT || error == ENOTDIR) {
    return text + ": " + what_is_missing(path) + " (seen by " + who(uid, ::getegid()) + ")";
  }
  if (error != EACCES && error != EPERM) return text;
  text += " for " + who(uid, ::getegid());
  if (const std::string obstacle = what_is_forbidden(path); !obstacle.empty())
    text += ": " + obstacle;
  if (verb != "read") return text;
  if (uid == 0) {
    return text +
           "; this root has no CAP_DAC_READ_SEARCH: let uid 0 own the file, or leave it "
           "that capability";
  }
  return text +
         "; let this uid or gid read it, or start usher as root and name in `user` whom it "
         "becomes when it has read it";
}

FileMark mark_of(const struct stat& info) {
  return {{info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
           info.st_ctim.tv_sec, info.st_ctim.tv_nsec},
          0};
}

FileMark mark_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {{}, errno};
  return mark_of(info);
}

Result<std::string> read_all(const Fd& file, const std::string& path) {
  std::string text;
  std::array<char, 4096> piece{};
  while (text.size() <= most_read) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return read_error(path, errno);
    if (got == 0) break;
    text.append(piece.data(), static_cast<size_t>(got));
  }
  return text;
}

Result<std::string> read_file(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return read_error(path, errno);
  return read_all(file, path);
}

std::vector<std::string> glob_files(const std::string& pattern) {
  std::vector<std::string> files;
  glob_t found{};
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
    files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  return files;
}

}  // namespace usher
