#include "base/log.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "base/json.h"
#include "base/log_file.h"
#include "base/log_text.h"

namespace usher {
namespace {

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
  }
  return "info";
}

// What a pipe takes at once (PIPE_BUF); so a line that does not fit into it would wait for a
// reader.
constexpr size_t longest_line = 4096;
constexpr size_t longest_field = 1024;
// For a field's key, its quotes, the note that it was cut, and the end of the line.
constexpr size_t around_field = 128;

struct AppendValue {
  std::string& line;
  void operator()(std::string_view text) const {
    const size_t used = line.size() + around_field;
    append_log_string(line, text,
                      std::min(longest_field, longest_line - std::min(used, longest_line)));
  }
  void operator()(bool value) const { line += value ? "true" : "false"; }
  template <typename Number>
  void operator()(Number value) const {
    char digits[32];
    const auto result = std::to_chars(digits, digits + sizeof digits, value);
    line.append(digits, result.ptr);
  }
};

}  // namespace

void Log::write(LogLevel level, std::string_view event,
                std::initializer_list<LogField> fields) const {
  if (!enabled(level)) return;
  std::string line = R"({"time":")" + to_rfc3339(std::chrono::system_clock::now());
  line.append(R"(","level":")").append(name_of(level)).append(R"(","event":)");
  append_json_string(line, event);
  for (const LogField& field : fields) {
    line.append(",\"").append(field.key).append("\":");
    std::visit(AppendValue{line}, field.value);
  }
  line += "}\n";
  {
    const std::lock_guard lock(mutex_);
    if (file_) return file_->write(line);
  }
  // A log that cannot be written is no reason to stop serving, nor is one that nobody reads: a pipe
  // that says that it has room takes a page without blocking.
  pollfd room{.fd = fd_, .events = POLLOUT, .revents = 0};
  if (::poll(&room, 1, 0) != 1) return;
  [[maybe_unused]] const ssize_t written = ::write(fd_, line.data(), line.size());
}

void Log::use(std::shared_ptr<LogFile> file) {
  const std::lock_guard lock(mutex_);
  file_.swap(file);
}

void Log::debug(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::debug, event, fields);
}
void Log::info(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::info, event, fields);
}
void Log::warning(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::warning, event, fields);
}
void Log::error(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::error, event, fields);
}

}  // namespace usher
