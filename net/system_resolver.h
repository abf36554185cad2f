// getaddrinfo on a thread of its own: what /etc/hosts, nsswitch and Docker's DNS say is what every
// other program on the machine sees. One question is asked at a time.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "net/loop.h"
#include "net/resolver.h"

namespace usher::net {

class SystemResolver final : public Resolver {
 public:
  // Belongs to loop's thread and answers there. Destroy it before the loop, when the loop runs no
  // more.
  explicit SystemResolver(Loop& loop);
  ~SystemResolver() override;

  // On the caller's thread, which waits: for a start, not for a loop.
  static Result<std::vector<SocketAddress>> resolve_now(const std::string& host, uint16_t port);

  // At most as late as the system's own resolver gives up.
  Pending resolve(std::string host, uint16_t port, Answer answer) override;

 private:
  struct Question {
    uint64_t id;
    std::string host;
    uint16_t port;
  };
  class Asked;

  void run();
  void deliver(uint64_t id, Result<std::vector<SocketAddress>> addresses);

  Loop& loop_;
  std::unordered_map<uint64_t, std::unique_ptr<Asked>> asked_;
  uint64_t next_id_ = 0;

  std::mutex mutex_;  // for these three
  std::condition_variable wake_;
  std::deque<Question> questions_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace usher::net
