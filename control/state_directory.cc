#include "control/state_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/fd.h"
#include "base/random.h"
#include "base/strings.h"

namespace usher::control {
namespace {

namespace fs = std::filesystem;

constexpr size_t least_secret = 32;

// Empty: the directory is there and can be written.
std::string why_not_usable(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return path.string() + ": " + error.message();
  if (::access(path.c_str(), W_OK | X_OK) != 0) return path.string() + ": " + std::strerror(errno);
  return {};
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
    if (directory.problem_.empty()) break;
  }
  return directory;
}

std::string StateDirectory::affinity_secret() const {
  std::ifstream in(fs::path(path_) / "affinity.secret");
  std::string kept;
  std::getline(in, kept);
  if (kept.size() >= least_secret) return kept;
  const std::string made = to_base64url(random_bytes<32>());
  keep_affinity_secret(made);
  return made;
}

void StateDirectory::keep_affinity_secret(const std::string& secret) const {
  keep("affinity.secret", secret + "\n");
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

}  // namespace usher::control
