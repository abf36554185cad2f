// One line for each request, written by a thread of its own: a slow disk or a stopped reader never
// blocks a worker. What does not fit into its bounded buffer is dropped and counted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "conf/settings.h"

namespace usher::proxy {

// What is known of one request when it is over. Views live during the call only.
struct AccessRecord {
  WallTime time;
  std::string_view client;
  std::string_view method;
  std::string_view host;
  std::string_view target;  // with its query: `path` in the log is without
  std::string_view protocol;
  uint16_t status = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  Duration duration{0};
  Duration first_byte{-1};  // negative: there was none
  std::string_view replica;
  std::string_view affinity;
  unsigned attempts = 0;
  std::string_view closed_by;  // of a websocket: who began to close it
  std::string error;
  std::string_view request_id;
  std::string_view trace_id;  // of traceparent
  std::string_view user_agent;
  std::string_view referer;
};

class AccessLog final {
 public:
  static constexpr size_t most_buffered = 4 * 1024 * 1024;

  // An error names the file that cannot be opened.
  static Result<std::unique_ptr<AccessLog>> open(const conf::LogSettings& settings,
                                                 std::string node);
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // Any thread.
  void write(const AccessRecord& record);
  // Opens a log file anew under its name (after a rotation).
  void reopen();
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  AccessLog(const conf::LogSettings& settings, std::string node);
  void run();
  void write_out(const std::string& lines) const;

  conf::LogSettings settings_;
  std::string node_;
  Fd file_;
  int fd_ = 1;
  bool off_ = false;
  std::atomic<uint64_t> dropped_{0};

  std::mutex mutex_;
  std::condition_variable wake_;
  std::string buffer_;
  std::atomic<bool> stopping_{false};  // read without the lock while lines are written
  bool reopening_ = false;
  std::thread thread_;
};

std::string to_json(const AccessRecord& record, std::string_view node);
// nginx's "combined" format.
std::string to_combined(const AccessRecord& record);

}  // namespace usher::proxy
