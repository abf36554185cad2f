#include "control/lineage.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>

namespace usher::control {
namespace {

constexpr std::array passed_on{SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
constexpr size_t most_text = 4096;

sigset_t held_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : passed_on)
    ::sigaddset(&set, signal);
  ::sigaddset(&set, SIGCHLD);
  return set;
}

}  // namespace

Lineage::Lineage() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return;
  heard_ = Fd(ends[0]);
  line_ = Fd(ends[1]);
  ::fcntl(heard_.get(), F_SETFL, O_NONBLOCK);
  // Whoever loses its parent becomes a child of this process.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void Lineage::announce(const Fd& line) {
  if (!line.valid()) return;
  const std::string text = std::to_string(::getpid()) + "\n";
  [[maybe_unused]] const ssize_t written = ::write(line.get(), text.data(), text.size());
}

void Lineage::listen() {
  char piece[256];
  while (!extinct_) {
    const ssize_t count = ::read(heard_.get(), piece, sizeof piece);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) {
      extinct_ = true;
      break;
    }
    text_.append(piece, static_cast<size_t>(count));
    if (text_.size() > most_text) text_.clear();
  }
  for (size_t end = 0; (end = text_.find('\n')) != std::string::npos; text_.erase(0, end + 1)) {
    pid_t pid = 0;
    std::from_chars(text_.data(), text_.data() + end, pid);
    if (pid <= 1 || pid == ::getpid()) continue;
    living_.push_back(pid);
    last_ = pid;
  }
}

void Lineage::pass_on(int signal) {
  listen();
  for (const pid_t pid : living_)
    ::kill(pid, signal);
}

bool Lineage::extinct() {
  listen();
  return extinct_;
}

void Lineage::hold_signals() {
  const sigset_t set = held_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void Lineage::reap() {
  listen();
  int status = 0;
  while (const pid_t pid = ::waitpid(-1, &status, WNOHANG)) {
    if (pid < 0) return;
    if (pid == last_) last_status_ = status;
    std::erase(living_, pid);
  }
}

int Lineage::code_of_last() const {
  if (WIFSIGNALED(last_status_)) return 128 + WTERMSIG(last_status_);
  return WEXITSTATUS(last_status_);
}

int Lineage::outlive() {
  hold_signals();
  const sigset_t set = held_signals();
  const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  while (true) {
    reap();
    const bool last_lives = std::ranges::find(living_, last_) != living_.end();
    if (extinct_ && !last_lives) return code_of_last();
    // Once the line is at its end it is always readable.
    std::array<pollfd, 2> waiting{{{.fd = signals.get(), .events = POLLIN, .revents = 0},
                                   {.fd = heard_.get(), .events = POLLIN, .revents = 0}}};
    ::poll(waiting.data(), extinct_ ? 1 : 2, -1);
    signalfd_siginfo caught{};
    while (::read(signals.get(), &caught, sizeof caught) == sizeof caught) {
      const int signal = static_cast<int>(caught.ssi_signo);
      if (std::ranges::find(passed_on, signal) != passed_on.end()) pass_on(signal);
    }
  }
}

}  // namespace usher::control
