#include "proxy/file_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/strings.h"

namespace usher::proxy {
namespace {

constexpr int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

bool is_served(std::string_view name) {
  const bool hidden = name.starts_with('.') && name != ".well-known";
  return !hidden && name.find('\0') == std::string_view::npos;
}

// "/a//b/" is "a/b/", and "/" is "./"; nothing when a name of it is not served.
std::optional<std::string> relative(std::string_view path) {
  std::string made;
  for (std::optional<std::string_view> rest = path; rest;) {
    const auto [name, after] = cut(*rest, '/');
    if (!is_served(name)) return std::nullopt;
    if (!name.empty()) made.append(name).append(after ? "/" : "");
    rest = after;
  }
  return made.empty() ? "./" : made;
}

Found::Kind kind_of_failure() {
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case ENXIO:  // a socket
    case EXDEV:  // a link that leads out of the folder
    case EAGAIN: return Found::Kind::nothing;
    case EACCES:
    case EPERM: return Found::Kind::forbidden;
    default: return Found::Kind::broken;
  }
}

}  // namespace

FileTree::FileTree(const std::string& folder)
    : folder_(::open(folder.c_str(), O_PATH | O_CLOEXEC | O_DIRECTORY)) {}

Found FileTree::look(std::string_view path) const {
  const auto name = relative(path);
  if (!folder_.valid() || !name) return {};
  Fd fd = open_below(*name);
  if (!fd.valid()) return {kind_of_failure(), std::nullopt};
  struct stat facts {};
  if (::fstat(fd.get(), &facts) != 0) return {Found::Kind::broken, std::nullopt};
  if (S_ISDIR(facts.st_mode)) return {Found::Kind::folder, std::nullopt};
  if (!S_ISREG(facts.st_mode)) return {};
  return {Found::Kind::file, StaticFile(std::move(fd), facts)};
}

// EAGAIN: something of the path was renamed meanwhile.
Fd FileTree::open_below(const std::string& path) const {
  constexpr int most_attempts = 4;
  struct open_how how {};
  how.flags = flags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    const long fd = ::syscall(SYS_openat2, folder_.get(), path.c_str(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  // A kernel before 5.6, or a container that knows no such call (EPERM).
  return errno == ENOSYS || errno == EPERM ? open_without_links(path) : Fd();
}

Fd FileTree::open_without_links(std::string_view path) const {
  Fd at;
  while (true) {
    const auto [name, rest] = cut(path, '/');
    const bool last = !rest || rest->empty();
    const int folder = rest ? O_DIRECTORY : 0;
    Fd next(::openat(at.valid() ? at.get() : folder_.get(), std::string(name).c_str(),
                     flags | folder | O_NOFOLLOW));
    if (last || !next.valid()) return next;
    at = std::move(next);
    path = *rest;
  }
}

}  // namespace usher::proxy
