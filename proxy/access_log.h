// One line for each request, written by a thread of its own: a slow disk or a stopped reader never
// blocks a worker. What does not fit into its bounded buffer is dropped and counted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

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
};

class AccessLog final {
 public:
  static constexpr size_t most_buffered = 4 * 1024 * 1024;

  // "stdout" or a path. An error names the file that cannot be opened.
  static Result<std::unique_ptr<AccessLog>> open(const std::string& path);
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // Any thread. A whole line, with its end.
  void write(std::string_view line);
  // Opens a log file anew under its name (after a rotation).
  void reopen();
  // Nothing more is written. Its thread ends when the last lines are out, or nobody takes them for
  // a second; then ended() is true, and destroying it does not wait.
  void end();
  bool ended() const { return ended_; }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  explicit AccessLog(std::string path) : path_(std::move(path)) {}
  void run();
  void write_out(const std::string& lines) const;

  const std::string path_;
  Fd file_;
  int fd_ = 1;
  std::atomic<uint64_t> dropped_{0};

  std::mutex mutex_;
  std::condition_variable wake_;
  std::string buffer_;
  std::atomic<bool> stopping_{false};  // read without the lock while lines are written
  std::atomic<bool> ended_{false};
  bool reopening_ = false;
  std::thread thread_;
};

// The access logs of the process, one for each place. On the control thread, which alone destroys
// them; whoever writes holds its log, so that what began under other settings can end its line.
class AccessLogs final {
 public:
  // Those of conf::access_logs(settings), in its order; nullptr: "off". What is not open is opened.
  Result<std::vector<std::shared_ptr<AccessLog>>> open(const conf::LogSettings& settings);
  // Closes what the settings do not name and nobody holds. True: there is nothing left of the kind.
  bool close_others(const conf::LogSettings& settings);
  void reopen();
  uint64_t dropped() const;

 private:
  std::map<std::string, std::shared_ptr<AccessLog>> logs_;
  std::vector<std::shared_ptr<AccessLog>> ending_;
  uint64_t dropped_ = 0;  // by those that are closed
};

// Quotes, backslashes and what is no printable ASCII as \xHH, as nginx does; "-" for nothing.
void append_escaped(std::string& line, std::string_view text);
std::string to_json(const AccessRecord& record, std::string_view node);

}  // namespace usher::proxy
