#include "base/log_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>

#include "base/thread.h"

namespace usher {
namespace {

// How long the end of the process may wait for somebody to read the last lines.
constexpr std::chrono::seconds last_words{1};
constexpr int poll_interval_ms = 100;

Fd open_file(const std::string& path) {
  return Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
}

size_t size_of_piece(std::string_view left) {
  if (left.size() <= PIPE_BUF) return left.size();
  const size_t end = left.rfind('\n', PIPE_BUF - 1);
  return end == std::string_view::npos ? size_t{PIPE_BUF} : end + 1;
}

}  // namespace

Result<std::unique_ptr<LogFile>> LogFile::open(const std::string& path) {
  std::unique_ptr<LogFile> log(new LogFile(path));
  if (path != "stdout") {
    log->file_ = open_file(path);
    if (!log->file_.valid()) {
      return Error{Errc::bad_config, Side::usher, path + ": " + std::strerror(errno)};
    }
    log->fd_ = log->file_.get();
  }
  log->thread_ = start_thread([raw = log.get()] { raw->run(); });
  return log;
}

LogFile::~LogFile() {
  if (!thread_.joinable()) return;
  end();
  thread_.join();
}

void LogFile::end() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
}

void LogFile::write(std::string_view line) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    const size_t most = line.size() > longest_short ? most_buffered / 2 : most_buffered;
    if (buffer_.size() + line.size() > most) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    first = buffer_.empty();
    buffer_ += line;
  }
  if (first) wake_.notify_one();
}

void LogFile::reopen() {
  if (path_ == "stdout") return;
  {
    const std::lock_guard lock(mutex_);
    reopening_ = true;
  }
  wake_.notify_one();
}

void LogFile::rotate_at(uint64_t size, uint32_t keep) {
  keep_.store(keep, std::memory_order_relaxed);
  full_at_.store(size, std::memory_order_relaxed);
}

// If the new file cannot be opened, the old one goes on.
void LogFile::open_anew() {
  Fd fd = open_file(path_);
  if (!fd.valid()) return;
  file_ = std::move(fd);
  fd_ = file_.get();
}

// The process that replaces this one may be writing there too: the first that sees it full puts it
// aside, and the other one only opens what is there now.
void LogFile::rotate_if_full() {
  const uint64_t full_at = full_at_.load(std::memory_order_relaxed);
  struct stat ours {};
  if (full_at == 0 || !file_.valid() || ::fstat(fd_, &ours) != 0) return;
  if (!S_ISREG(ours.st_mode) || static_cast<uint64_t>(ours.st_size) < full_at) return;
  struct stat named {};
  const bool has_our_name = ::stat(path_.c_str(), &named) == 0 && named.st_ino == ours.st_ino &&
                            named.st_dev == ours.st_dev;
  if (has_our_name) {
    const auto aside = [this](uint32_t number) { return path_ + "." + std::to_string(number); };
    for (uint32_t number = keep_.load(std::memory_order_relaxed); number > 1; --number)
      ::rename(aside(number - 1).c_str(), aside(number).c_str());
    if (::rename(path_.c_str(), aside(1).c_str()) != 0) return;
  }
  open_anew();
}

void LogFile::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || reopening_ || !buffer_.empty(); });
    const std::string lines = std::exchange(buffer_, {});
    const bool reopening = std::exchange(reopening_, false);
    const bool stopping = stopping_;
    lock.unlock();
    write_out(lines);
    if (reopening) open_anew();
    rotate_if_full();
    if (stopping) {
      ended_ = true;
      return;
    }
    lock.lock();
  }
}

// In pieces that a pipe with room takes without blocking (pipe(7)), so that a reader that has
// stopped cannot keep the process from ending; of whole lines where they fit, since the process
// that replaces this one may be writing there too.
void LogFile::write_out(const std::string& lines) const {
  std::string_view left = lines;
  const auto give_up = std::chrono::steady_clock::now() + last_words;
  while (!left.empty()) {
    pollfd room{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (::poll(&room, 1, poll_interval_ms) == 0) {
      if (stopping_ && std::chrono::steady_clock::now() > give_up) return;
      continue;
    }
    const ssize_t count = ::write(fd_, left.data(), size_of_piece(left));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    left.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace usher
