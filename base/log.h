// The process log: one JSON object a line, on standard error or in a file. Any thread may write; a
// line is one write(2), so lines never mix. Not the access log (proxy/access_log.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>

namespace usher {

class LogFile;

enum class LogLevel : uint8_t { debug, info, warning, error };

// A key and its value. Text is escaped; the key must be a plain literal.
struct LogField {
  std::string_view key;
  std::variant<std::string_view, int64_t, uint64_t, double, bool> value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, int v) : key(k), value(static_cast<int64_t>(v)) {}
  LogField(std::string_view k, int64_t v) : key(k), value(v) {}
  LogField(std::string_view k, unsigned v) : key(k), value(static_cast<uint64_t>(v)) {}
  LogField(std::string_view k, uint64_t v) : key(k), value(v) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
};

class Log final {
 public:
  explicit Log(int fd = 2, LogLevel least = LogLevel::info) : fd_(fd), least_(least) {}

  void set_least(LogLevel least) { least_.store(least, std::memory_order_relaxed); }
  // Lines go there from now on; nullptr: to the descriptor. Others may be writing meanwhile.
  void use(std::shared_ptr<LogFile> file);
  bool enabled(LogLevel level) const { return level >= least_.load(std::memory_order_relaxed); }

  // {"time":"…","level":"…","event":"…", fields…}
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) const;
  void debug(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void info(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void warning(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void error(std::string_view event, std::initializer_list<LogField> fields = {}) const;

 private:
  int fd_;
  std::atomic<LogLevel> least_;
  mutable std::mutex mutex_;
  std::shared_ptr<LogFile> file_;
};

}  // namespace usher
