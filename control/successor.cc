#include "control/successor.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <utility>

#include "control/inheritance.h"

extern char** environ;

namespace usher::control {
namespace {

constexpr std::chrono::seconds ready_limit{60};
constexpr size_t most_said = 4096;

Error system_error(std::string_view what, int error) {
  return {Errc::system, Side::usher, std::string(what) + ": " + std::strerror(error)};
}

bool is_passed_on(std::string_view variable) {
  constexpr std::array ours{handover::count,       handover::names, handover::pid,
                            handover::predecessor, handover::first, handover::reader};
  const std::string_view name = variable.substr(0, variable.find('='));
  return std::ranges::none_of(ours, [name](const char* each) { return name == each; });
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts)
    pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What the child finds at 3, 4, ...: copies beyond these numbers, so that none is overwritten
// before it has been copied there.
Result<std::vector<Fd>> lift(const std::vector<int>& fds) {
  std::vector<Fd> lifted;
  const int beyond = handover::first_fd + static_cast<int>(fds.size());
  for (const int fd : fds) {
    lifted.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, beyond));
    if (!lifted.back().valid()) return system_error("dup", errno);
  }
  return lifted;
}

Result<pid_t> spawn(const Bequest& bequest, int line) {
  std::vector<int> wanted;
  std::string names;
  for (const Bequest::Socket& socket : bequest.sockets) {
    wanted.push_back(socket.fd);
    names += (names.empty() ? "" : ":") + socket.name;
  }
  std::vector<std::string> environment;
  for (char** each = environ; *each; ++each) {
    if (is_passed_on(*each)) environment.emplace_back(*each);
  }
  const auto tell = [&](const char* name, const std::string& value) {
    environment.push_back(std::string(name) + '=' + value);
  };
  const auto pass = [&](const char* name, int fd) {
    tell(name, std::to_string(handover::first_fd + static_cast<int>(wanted.size())));
    wanted.push_back(fd);
  };
  tell(handover::count, std::to_string(bequest.sockets.size()));
  tell(handover::names, names);
  pass(handover::predecessor, line);
  pass(handover::first, bequest.line_to_first);
  if (bequest.line_to_reader >= 0) pass(handover::reader, bequest.line_to_reader);

  const auto lifted = lift(wanted);
  if (!lifted) return lifted.error();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  for (size_t i = 0; i < lifted->size(); ++i) {
    ::posix_spawn_file_actions_adddup2(&actions, (*lifted)[i].get(),
                                       handover::first_fd + static_cast<int>(i));
  }
  // No signal is blocked or ignored in it that was not in a first start.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t usual;
  ::sigemptyset(&none);
  ::sigemptyset(&usual);
  ::sigaddset(&usual, SIGPIPE);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::vector<std::string> command = bequest.command;
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, command.front().c_str(), &actions, &attributes,
                                   pointers_to(command).data(), pointers_to(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return system_error(command.front(), error);
  return pid;
}

}  // namespace

Result<std::unique_ptr<Successor>> Successor::start(net::Loop& loop, const Bequest& bequest,
                                                    Settled settled) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return system_error("socketpair", errno);
  }
  Fd mine(ends[0]);
  const Fd its(ends[1]);
  const auto pid = spawn(bequest, its.get());
  if (!pid) return pid.error();
  return std::unique_ptr<Successor>(new Successor(loop, *pid, std::move(mine), std::move(settled)));
}

Successor::Successor(net::Loop& loop, pid_t pid, Fd line, Settled settled)
    : loop_(loop), pid_(pid), settled_(std::move(settled)), deadline_(loop, *this) {
  net::StreamHandler& handler = *this;
  stream_ =
      std::make_unique<net::Stream>(loop, std::move(line), net::make_plain_transport(), handler);
  stream_->deliver_before_failing();  // why it gives up, and then its end
  deadline_.start(ready_limit);
  stream_->start();
}

Successor::~Successor() {
  if (!stream_) return;
  close();
  end_process();
}

size_t Successor::on_stream_data(std::span<const char> data) {
  said_.append(data.data(), std::min(data.size(), most_said - said_.size()));
  if (ready()) {
    close();
    std::exchange(settled_, {})({});
  }
  return data.size();
}

void Successor::on_deadline() {
  fail("not ready after " + std::to_string(ready_limit.count()) + " s");
}

void Successor::fail(std::string reason) {
  close();
  const std::string end = end_process();
  if (!said_.empty()) reason = said_;
  if (reason.empty()) reason = end;
  std::exchange(settled_, {})(Error{Errc::system, Side::usher, std::move(reason)});
}

void Successor::close() {
  deadline_.stop();
  stream_->close();
  loop_.bury(std::move(stream_));
}

std::string Successor::end_process() {
  int status = 0;
  // One that is ending by itself keeps its own status.
  ::kill(pid_, SIGKILL);
  if (::waitpid(pid_, &status, 0) != pid_) return "it is gone";
  if (WIFEXITED(status)) return "it exited with " + std::to_string(WEXITSTATUS(status));
  return std::string("it was ended: ") + ::strsignal(WTERMSIG(status));
}

}  // namespace usher::control
