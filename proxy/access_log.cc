#include "proxy/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <memory>

#include "base/json.h"
#include "base/thread.h"

namespace usher::proxy {
namespace {

// How long the end of the process may wait for somebody to read the last lines.
constexpr std::chrono::seconds last_words{1};
constexpr int poll_interval_ms = 100;

Fd open_file(const std::string& path) {
  return Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
}

void add(std::string& line, std::string_view key, std::string_view value) {
  line.append(",\"").append(key).append("\":");
  append_json_string(line, value);
}

void add(std::string& line, std::string_view key, uint64_t value) {
  line.append(",\"").append(key).append("\":").append(std::to_string(value));
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

// Quotes and control characters as \xHH, as nginx does.
void append_escaped(std::string& line, std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  if (text.empty()) line += '-';
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\' || byte < 0x20 || byte >= 0x7f) {
      line.append("\\x").append({digits[byte >> 4], digits[byte & 15]});
    } else {
      line += c;
    }
  }
}

}  // namespace

std::string to_json(const AccessRecord& record, std::string_view node) {
  std::string line = R"({"time":")" + to_rfc3339(record.time) + '"';
  add(line, "node", node);
  add(line, "client", record.client);
  add(line, "method", record.method);
  add(line, "host", record.host);
  add(line, "path", path_of(record.target));
  add(line, "protocol", record.protocol);
  add(line, "status", record.status);
  add(line, "bytes_in", record.bytes_in);
  add(line, "bytes_out", record.bytes_out);
  add(line, "duration_ms", static_cast<uint64_t>(record.duration.count()));
  if (record.first_byte.count() >= 0) {
    add(line, "first_byte_ms", static_cast<uint64_t>(record.first_byte.count()));
  } else {
    line += ",\"first_byte_ms\":null";
  }
  add(line, "replica", record.replica);
  add(line, "affinity", record.affinity);
  add(line, "attempts", record.attempts);
  if (!record.closed_by.empty()) add(line, "closed_by", record.closed_by);
  if (record.error.empty()) {
    line += ",\"error\":null";
  } else {
    add(line, "error", record.error);
  }
  add(line, "request_id", record.request_id);
  if (!record.trace_id.empty()) add(line, "trace_id", record.trace_id);
  add(line, "user_agent", record.user_agent);
  line += "}\n";
  return line;
}

std::string to_combined(const AccessRecord& record) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(record.time);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char time[64];
  std::strftime(time, sizeof time, "%d/%b/%Y:%H:%M:%S +0000", &utc);
  std::string line(record.client);
  line.append(" - - [").append(time).append("] \"");
  append_escaped(line, record.method);
  line += ' ';
  append_escaped(line, record.target);
  line += " HTTP/1.1\" " + std::to_string(record.status) + ' ' + std::to_string(record.bytes_out) +
          " \"";
  append_escaped(line, record.referer);
  line += "\" \"";
  append_escaped(line, record.user_agent);
  line += "\"\n";
  return line;
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(const conf::LogSettings& settings,
                                                   std::string node) {
  std::unique_ptr<AccessLog> log(new AccessLog(settings, std::move(node)));
  log->off_ = settings.access == "off";
  if (!log->off_ && settings.access != "stdout") {
    log->file_ = open_file(settings.access);
    if (!log->file_.valid()) {
      return Error{Errc::bad_config, Side::usher,
                   "log.access: " + settings.access + ": " + std::strerror(errno)};
    }
    log->fd_ = log->file_.get();
  }
  if (!log->off_) log->thread_ = start_thread([raw = log.get()] { raw->run(); });
  return log;
}

AccessLog::AccessLog(const conf::LogSettings& settings, std::string node)
    : settings_(settings), node_(std::move(node)) {}

AccessLog::~AccessLog() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void AccessLog::write(const AccessRecord& record) {
  if (off_) return;
  const std::string line =
      settings_.format == conf::AccessFormat::json ? to_json(record, node_) : to_combined(record);
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (buffer_.size() + line.size() > most_buffered) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    first = buffer_.empty();
    buffer_ += line;
  }
  if (first) wake_.notify_one();
}

void AccessLog::reopen() {
  if (!file_.valid()) return;
  {
    const std::lock_guard lock(mutex_);
    reopening_ = true;
  }
  wake_.notify_one();
}

void AccessLog::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || reopening_ || !buffer_.empty(); });
    const std::string lines = std::exchange(buffer_, {});
    const bool reopening = std::exchange(reopening_, false);
    const bool stopping = stopping_;
    lock.unlock();
    write_out(lines);
    if (reopening) {
      // If the new file cannot be opened, the old one goes on.
      if (Fd fd = open_file(settings_.access); fd.valid()) {
        file_ = std::move(fd);
        fd_ = file_.get();
      }
    }
    if (stopping) return;
    lock.lock();
  }
}

// In pieces that a pipe with room takes without blocking (pipe(7)), so that a reader that has
// stopped cannot keep the process from ending.
void AccessLog::write_out(const std::string& lines) const {
  std::string_view left = lines;
  const auto give_up = std::chrono::steady_clock::now() + last_words;
  while (!left.empty()) {
    pollfd room{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (::poll(&room, 1, poll_interval_ms) == 0) {
      if (stopping_ && std::chrono::steady_clock::now() > give_up) return;
      continue;
    }
    const ssize_t count = ::write(fd_, left.data(), std::min<size_t>(left.size(), PIPE_BUF));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    left.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace usher::proxy
