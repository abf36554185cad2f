// A file, or standard output, that lines of a log go to. A thread of its own writes them: a slow
// disk or a stopped reader never blocks who has something to say. What does not fit into its
// bounded buffer is dropped and counted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace usher {

class LogFile final {
 public:
  static constexpr size_t most_buffered = 4 * 1024 * 1024;
  // Longer lines find room in the first half of the buffer only: however many there are, short ones
  // of others are written.
  static constexpr size_t longest_short = 1024;

  // "stdout" or a path. An error names the file that cannot be opened.
  static Result<std::unique_ptr<LogFile>> open(const std::string& path);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  // Any thread. A whole line, with its end.
  void write(std::string_view line);
  // Opens a log file anew under its name (after a rotation).
  void reopen();
  // A file that has grown to `size` becomes FILE.1, that one FILE.2 and so on, of which `keep`
  // stay. 0: it only grows.
  void rotate_at(uint64_t size, uint32_t keep);
  // Nothing more is written. Its thread ends when the last lines are out, or nobody takes them for
  // a second; then ended() is true, and destroying it does not wait.
  void end();
  bool ended() const { return ended_; }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  explicit LogFile(std::string path) : path_(std::move(path)) {}
  void run();
  void write_out(const std::string& lines) const;
  void rotate_if_full();
  void open_anew();

  const std::string path_;
  Fd file_;
  int fd_ = 1;
  std::atomic<uint64_t> dropped_{0};
  std::atomic<uint64_t> full_at_{0};
  std::atomic<uint32_t> keep_{1};

  std::mutex mutex_;
  std::condition_variable wake_;
  std::string buffer_;
  std::atomic<bool> stopping_{false};  // read without the lock while lines are written
  std::atomic<bool> ended_{false};
  bool reopening_ = false;
  std::thread thread_;
};

}  // namespace usher
