// One file that is answered without a replica: a route's `root`, for ACME's challenges and the
// like. It is read in pieces, as its taker has room for them.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace usher::proxy {

class StaticFile final {
 public:
  // The regular file under `root` that a decoded, normalised path names; of one that ends in "/",
  // its index.html. Below root no symbolic link is followed, and no name that begins with "." is
  // found but ".well-known" (RFC 8615). Never waits for a pipe or a device.
  static std::optional<StaticFile> open(const std::string& root, std::string_view path);

  // By its name's ending; empty: the ending says nothing.
  std::string_view type() const { return type_; }
  uint64_t size() const { return size_; }
  // As Last-Modified says it (RFC 9110 section 5.6.7).
  std::string modified() const;
  // A strong one, of time and size, as nginx makes it.
  std::string etag() const;

  // The next piece of the `size()` bytes that it had when it was opened; empty after the last one.
  // An error if it has become shorter, or cannot be read.
  Result<std::span<const char>> read(std::span<char> into);

 private:
  StaticFile(Fd fd, uint64_t bytes, std::time_t changed, std::string_view kind)
      : fd_(std::move(fd)), size_(bytes), left_(bytes), modified_(changed), type_(kind) {}

  Fd fd_;
  uint64_t size_;
  uint64_t left_;
  std::time_t modified_;
  std::string_view type_;
};

}  // namespace usher::proxy
