// One file that is answered without a replica, as it was when it was opened. It is read in pieces,
// as its taker has room for them.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace usher::proxy {

class StaticFile final {
 public:
  // `facts` are those of the open regular file.
  StaticFile(Fd fd, const struct stat& facts)
      : fd_(std::move(fd)),
        size_(static_cast<uint64_t>(facts.st_size)),
        left_(size_),
        modified_(facts.st_mtime) {}

  uint64_t size() const { return size_; }
  std::time_t modified() const { return modified_; }
  // A strong one, of time and size, as nginx makes it.
  std::string etag() const;

  // Only these bytes are read: a part of its size().
  void narrow(uint64_t first, uint64_t length);
  // The next piece of these, else of all of its bytes; empty after the last one. An error if it has
  // become shorter, or cannot be read.
  Result<std::span<const char>> read(std::span<char> into);

 private:
  Fd fd_;
  uint64_t size_;
  uint64_t next_ = 0;
  uint64_t left_;
  std::time_t modified_;
};

}  // namespace usher::proxy
