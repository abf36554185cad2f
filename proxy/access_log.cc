#include "proxy/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
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

}  // namespace

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

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& path) {
  std::unique_ptr<AccessLog> log(new AccessLog(path));
  if (path != "stdout") {
    log->file_ = open_file(path);
    if (!log->file_.valid()) {
      return Error{Errc::bad_config, Side::usher,
                   "log.access: " + path + ": " + std::strerror(errno)};
    }
    log->fd_ = log->file_.get();
  }
  log->thread_ = start_thread([raw = log.get()] { raw->run(); });
  return log;
}

AccessLog::~AccessLog() {
  if (!thread_.joinable()) return;
  end();
  thread_.join();
}

void AccessLog::end() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
}

void AccessLog::write(std::string_view line) {
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
      if (Fd fd = open_file(path_); fd.valid()) {
        file_ = std::move(fd);
        fd_ = file_.get();
      }
    }
    if (stopping) {
      ended_ = true;
      return;
    }
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

Result<std::vector<std::shared_ptr<AccessLog>>> AccessLogs::open(
    const conf::LogSettings& settings) {
  std::vector<std::shared_ptr<AccessLog>> opened;
  for (const conf::AccessLogSettings& each : conf::access_logs(settings)) {
    if (each.access == "off") {
      opened.emplace_back();
      continue;
    }
    std::shared_ptr<AccessLog>& log = logs_[each.access];
    if (!log) {
      auto made = AccessLog::open(each.access);
      if (!made) {
        logs_.erase(each.access);
        return std::move(made).error();
      }
      log = std::move(*made);
    }
    opened.push_back(log);
  }
  return opened;
}

bool AccessLogs::close_others(const conf::LogSettings& settings) {
  std::erase_if(ending_, [this](const std::shared_ptr<AccessLog>& log) {
    if (log->ended()) dropped_ += log->dropped();
    return log->ended();
  });
  bool none = true;
  const auto named = conf::access_logs(settings);
  std::erase_if(logs_, [&](auto& each) {
    auto& [place, log] = each;
    if (std::ranges::find(named, place, &conf::AccessLogSettings::access) != named.end())
      return false;
    none = false;
    // Who is the last to hold it is the only one who could lend it out again.
    if (log.use_count() > 1) return false;
    log->end();
    ending_.push_back(std::move(log));
    return true;
  });
  return none && ending_.empty();
}

void AccessLogs::reopen() {
  for (const auto& [place, log] : logs_)
    log->reopen();
}

uint64_t AccessLogs::dropped() const {
  uint64_t sum = dropped_;
  for (const auto& [place, log] : logs_)
    sum += log->dropped();
  for (const auto& log : ending_)
    sum += log->dropped();
  return sum;
}

}  // namespace usher::proxy
