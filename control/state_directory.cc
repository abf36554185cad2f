#include "control/state_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/fd.h"
#include "base/files.h"
#include "base/random.h"
#include "base/strings.h"

namespace usher::control {
namespace {

namespace fs = std::filesystem;

constexpr size_t least_secret = 32;
constexpr const char* secret_file = "affinity.secret";

constexpr mode_t for_the_owner = 0700;

// Empty: the directory is there and can be written.
std::string why_not_usable(const fs::path& path) {
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  if (!error && ::mkdir(path.c_str(), for_the_owner) != 0 && errno != EEXIST)
    error = {errno, std::generic_category()};
  if (error) return path.string() + ": " + why_not(path, error.value(), "written");
  if (::access(path.c_str(), W_OK | X_OK) != 0)
    return path.string() + ": " + why_not(path, errno, "written");
  return {};
}

// One that an older usher made for everybody to look into.
void close_to_others(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || info.st_uid != ::geteuid()) return;
  if ((info.st_mode & 077) != 0) ::chmod(path.c_str(), for_the_owner);
}

std::vector<fs::path> candidates() {
  std::vector<fs::path> paths;
  // systemd may name several, separated by colons; the first is ours.
  if (const char* given = std::getenv("STATE_DIRECTORY"); given && *given) {
    paths.emplace_back(cut(given, ':').first);
  }
  paths.emplace_back("/var/lib/usher");
  if (const char* given = std::getenv("XDG_STATE_HOME"); given && *given) {
    paths.push_back(fs::path(given) / "usher");
  } else if (const char* home = std::getenv("HOME"); home && *home) {
    paths.push_back(fs::path(home) / ".local/state/usher");
  }
  return paths;
}

}  // namespace

StateDirectory StateDirectory::find(const std::string& configured) {
  StateDirectory directory;
  if (!configured.empty()) {
    directory.path_ = configured;
    directory.problem_ = why_not_usable(configured);
    return directory;
  }
  for (const fs::path& path : candidates()) {
    directory.path_ = path;
    directory.problem_ = why_not_usable(path);
    if (!directory.problem_.empty()) continue;
    close_to_others(path);
    break;
  }
  return directory;
}

void StateDirectory::hand_over(const std::string& configured, uid_t uid, gid_t gid) {
  std::error_code error;
  const fs::path asked = configured.empty() ? candidates().front() : fs::path(configured);
  const bool was_there = fs::exists(asked, error);
  const StateDirectory directory = find(configured);
  const fs::path path = directory.path_;
  const bool own = !was_there || fs::is_empty(path, error) || fs::exists(path / secret_file) ||
                   fs::exists(path / "self-signed.key");
  if (!directory.problem_.empty() || !own) return;
  const auto give = [uid, gid](const fs::path& each) {
    struct stat info {};
    if (::lstat(each.c_str(), &info) != 0 || info.st_uid != 0 || S_ISLNK(info.st_mode)) return;
    [[maybe_unused]] const int done = ::lchown(each.c_str(), uid, gid);
  };
  for (const auto& each : fs::directory_iterator(path, error))
    give(each.path());
  give(path);
}

std::string StateDirectory::affinity_secret() const {
  std::ifstream in(fs::path(path_) / secret_file);
  std::string kept;
  std::getline(in, kept);
  if (kept.size() >= least_secret) return kept;
  const std::string made = to_base64url(random_bytes<32>());
  keep_affinity_secret(made);
  return made;
}

void StateDirectory::keep_affinity_secret(const std::string& secret) const {
  keep(secret_file, secret + "\n");
}

std::string StateDirectory::read(std::string_view name) const {
  std::ifstream in(fs::path(path_) / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void StateDirectory::keep(std::string_view name, std::string_view text) const {
  if (!problem_.empty()) return;
  const fs::path path = fs::path(path_) / name;
  const fs::path next = path.string() + "." + std::to_string(::getpid());
  const Fd fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const bool written = fd.valid() && ::write(fd.get(), text.data(), text.size()) ==
                                         static_cast<ssize_t>(text.size());
  if (!written || ::rename(next.c_str(), path.c_str()) != 0) ::unlink(next.c_str());
}

std::vector<std::string> StateDirectory::names(std::string_view prefix) const {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& each : fs::directory_iterator(path_, error)) {
    std::string name = each.path().filename();
    if (name.starts_with(prefix)) found.push_back(std::move(name));
  }
  std::sort(found.begin(), found.end());
  return found;
}

void StateDirectory::drop(std::string_view name) const {
  ::unlink((fs::path(path_) / name).c_str());
}

}  // namespace usher::control
