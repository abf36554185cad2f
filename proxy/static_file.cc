#include "proxy/static_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace usher::proxy {

std::string StaticFile::etag() const {
  char text[64];
  const int length =
      std::snprintf(text, sizeof text, "\"%llx-%llx\"", static_cast<unsigned long long>(modified_),
                    static_cast<unsigned long long>(size_));
  return {text, static_cast<size_t>(length)};
}

void StaticFile::narrow(uint64_t first, uint64_t length) {
  next_ = first;
  left_ = length;
}

Result<std::span<const char>> StaticFile::read(std::span<char> into) {
  const size_t most = static_cast<size_t>(std::min<uint64_t>(left_, into.size()));
  if (most == 0) return std::span<const char>();
  ssize_t got = -1;
  do {
    got = ::pread(fd_.get(), into.data(), most, static_cast<off_t>(next_));
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    return Error{Errc::system, Side::usher,
                 std::string("file: ") + (got < 0 ? std::strerror(errno) : "became shorter")};
  }
  next_ += static_cast<uint64_t>(got);
  left_ -= static_cast<uint64_t>(got);
  return std::span<const char>(into.data(), static_cast<size_t>(got));
}

}  // namespace usher::proxy
