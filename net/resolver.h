// Names to addresses, by getaddrinfo on a thread of its own: what /etc/hosts, nsswitch and Docker's
// DNS say is what every other program on the machine sees. One question is asked at a time.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "net/loop.h"

namespace usher::net {

class Resolver final {
 public:
  using Answer = std::function<void(Result<std::vector<SocketAddress>>)>;

  // Answers are posted to loop. The Resolver must outlive no callback's captures: destroy it first.
  explicit Resolver(Loop& loop);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Every A and AAAA address of host, each once, sorted.
  void resolve(std::string host, uint16_t port, Answer answer);

 private:
  struct Question {
    std::string host;
    uint16_t port;
    Answer answer;
  };
  void run();

  Loop& loop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Question> questions_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace usher::net
