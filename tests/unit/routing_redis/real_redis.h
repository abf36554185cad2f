// A redis-server of the test's own, on a free port of the loopback, without files; ended by its
// pid.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "net/listener.h"

namespace usher::routing::redis {

class RealRedis final {
 public:
  explicit RealRedis(std::vector<std::string> options = {}) : options_(std::move(options)) {
    const auto socket = net::Listener::bind(*SocketAddress::from_ip("127.0.0.1", 0));
    port_ = net::Listener::bound_address(*socket).port();
  }
  ~RealRedis() { stop(); }
  RealRedis(const RealRedis&) = delete;
  RealRedis& operator=(const RealRedis&) = delete;

  static bool is_installed() { return std::system("redis-server --version >/dev/null 2>&1") == 0; }

  // True when it accepts connections.
  bool start() {
    std::vector<std::string> words{
        "redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1",
        "--save",       "",       "--appendonly",        "no"};
    words.insert(words.end(), options_.begin(), options_.end());
    std::vector<char*> arguments;
    for (std::string& word : words)
      arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
      ::dup2(nowhere, 1);
      ::dup2(nowhere, 2);
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
    for (int attempt = 0; attempt < 1000; ++attempt) {
      if (accepts()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  void freeze() { ::kill(pid_, SIGSTOP); }
  void thaw() { ::kill(pid_, SIGCONT); }
  uint16_t port() const { return port_; }

 private:
  bool accepts() const {
    const auto address = SocketAddress::from_ip("127.0.0.1", port_);
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(fd.get(), address->data(), address->length()) == 0;
  }

  std::vector<std::string> options_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace usher::routing::redis
