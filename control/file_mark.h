// What tells one state of a file from another without reading it, and when it has become another.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace usher::control {

struct FileMark {
  // Device, inode, size, and when it was written and changed (a rename, a link, its mode).
  std::tuple<dev_t, ino_t, off_t, time_t, long, time_t, long> state{};
  int error = 0;  // why there is none

  friend bool operator==(const FileMark&, const FileMark&) = default;
};

// Of the file that the path leads to.
inline FileMark mark_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {{}, errno};
  return {{info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
           info.st_ctim.tv_sec, info.st_ctim.tv_nsec},
          0};
}

// Of files that are one thing, such as a certificate and its key: they do not change at the same
// moment, and none is written in one.
class FileWatch final {
 public:
  // What they were before they were read: what changes meanwhile is read again.
  explicit FileWatch(std::vector<FileMark> before) : read_(std::move(before)), seen_(read_) {}

  // With each look. True once for each change, when they have been left alone for a look.
  bool shows_change(std::vector<FileMark> now) {
    if (now == read_) return false;
    const bool left_alone = now == seen_;
    seen_ = std::move(now);
    if (left_alone) read_ = seen_;
    return left_alone;
  }

 private:
  std::vector<FileMark> read_;
  std::vector<FileMark> seen_;
};

}  // namespace usher::control
