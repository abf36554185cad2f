// The files that settings name: how they are read, looked at and found, and why that fails, in
// words that help. A process without the rights to read them itself has another set of these
// functions (control/file_reader.h).
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace usher {

// What tells one state of a file from another without reading it.
struct FileMark {
  // Device, inode, size, and when it was written and changed (a rename, a link, its mode).
  std::tuple<dev_t, ino_t, off_t, time_t, long, time_t, long> state{};
  int error = 0;  // why there is none

  friend bool operator==(const FileMark&, const FileMark&) = default;
};
FileMark mark_of(const struct stat& info);
// Of the file that the path leads to.
FileMark mark_of(const std::string& path);

// A file's whole text, but no more than most_read: whoever reads it refuses a longer one. An error
// does not name the file; it is Errc::not_found when there is none.
inline constexpr size_t most_read = size_t{4} << 20;
Result<std::string> read_file(const std::string& path);
// The same of an open one. The path is for the words of an error alone.
Result<std::string> read_all(const Fd& file, const std::string& path);
// In their order; none is no error.
std::vector<std::string> glob_files(const std::string& pattern);

struct Files {
  std::function<Result<std::string>(const std::string& path)> read = read_file;
  std::function<std::vector<std::string>(const std::string& pattern)> glob = glob_files;
  std::function<FileMark(const std::string& path)> mark = [](const std::string& path) {
    return mark_of(path);
  };
  // What messages call it: where it was named, and its path.
  std::function<std::string(const std::string& path)> called = [](const std::string& path) {
    return path;
  };
};

// "Permission denied for uid 10001, gid 10001: ...; ...": the system's reason, who was refused,
// what stands in the way and what helps. `verb` is "read" or "written".
std::string why_not(const std::string& path, int error, std::string_view verb);

}  // namespace usher
