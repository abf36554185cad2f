// What tells one state of a file from another without reading it.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <tuple>

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

}  // namespace usher::control
