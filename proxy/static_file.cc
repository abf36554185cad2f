#include "proxy/static_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/strings.h"

namespace usher::proxy {
namespace {

std::string_view type_of(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> types[] = {
      {".html", "text/html"},      {".txt", "text/plain"},        {".css", "text/css"},
      {".js", "text/javascript"},  {".json", "application/json"}, {".xml", "application/xml"},
      {".pdf", "application/pdf"}, {".svg", "image/svg+xml"},     {".png", "image/png"},
      {".jpg", "image/jpeg"},      {".gif", "image/gif"},         {".ico", "image/x-icon"},
      {".webp", "image/webp"},     {".woff2", "font/woff2"},
  };
  for (const auto& [ending, type] : types) {
    if (name.ends_with(ending)) return type;
  }
  return {};
}

bool is_served(std::string_view name) {
  const bool hidden = name.starts_with('.') && name != ".well-known";
  return !hidden && name.find('\0') == std::string_view::npos;
}

Fd open_entry(const Fd& folder, std::string_view name, int flags) {
  return Fd(::openat(folder.get(), std::string(name).c_str(),
                     O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | flags));
}

}  // namespace

std::optional<StaticFile> StaticFile::open(const std::string& root, std::string_view path) {
  Fd folder(::open(root.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  while (folder.valid()) {
    const auto [name, rest] = cut(path, '/');
    if (!rest) break;
    if (!is_served(name)) return std::nullopt;
    if (!name.empty()) folder = open_entry(folder, name, O_DIRECTORY);
    path = *rest;
  }
  const std::string_view name = path.empty() ? "index.html" : path;
  if (!folder.valid() || !is_served(name)) return std::nullopt;
  Fd file = open_entry(folder, name, 0);
  struct stat facts {};
  if (!file.valid() || ::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode))
    return std::nullopt;
  return StaticFile(std::move(file), static_cast<uint64_t>(facts.st_size), facts.st_mtime,
                    type_of(name));
}

std::string StaticFile::modified() const {
  std::tm parts{};
  ::gmtime_r(&modified_, &parts);
  char text[64];
  // Names of days and months are English: nothing here sets a locale.
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

std::string StaticFile::etag() const {
  char text[64];
  const int length =
      std::snprintf(text, sizeof text, "\"%llx-%llx\"", static_cast<unsigned long long>(modified_),
                    static_cast<unsigned long long>(size_));
  return {text, static_cast<size_t>(length)};
}

Result<std::span<const char>> StaticFile::read(std::span<char> into) {
  const size_t most = static_cast<size_t>(std::min<uint64_t>(left_, into.size()));
  if (most == 0) return std::span<const char>();
  ssize_t got = -1;
  do {
    got = ::read(fd_.get(), into.data(), most);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    return Error{Errc::system, Side::usher,
                 std::string("file: ") + (got < 0 ? std::strerror(errno) : "became shorter")};
  }
  left_ -= static_cast<uint64_t>(got);
  return std::span<const char>(into.data(), static_cast<size_t>(got));
}

}  // namespace usher::proxy
