#include "net/system_resolver.h"

#include <netdb.h>

#include <memory>

#include "base/thread.h"

namespace usher::net {

Result<std::vector<SocketAddress>> SystemResolver::resolve_now(const std::string& host,
                                                               uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (status != 0) return Error{Errc::not_found, Side::usher, host + ": " + ::gai_strerror(status)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  std::vector<SocketAddress> addresses;
  for (const addrinfo* at = found; at; at = at->ai_next) {
    addresses.emplace_back(at->ai_addr, at->ai_addrlen);
  }
  sort(addresses);
  return addresses;
}

// A question whose answer is still wanted.
class SystemResolver::Asked final : public PendingAnswer {
 public:
  Asked(SystemResolver& resolver, uint64_t id, Answer answer)
      : resolver_(resolver), id_(id), answer_(std::move(answer)) {}

  Answer take() {
    finished();
    return std::move(answer_);
  }

 private:
  void cancel() noexcept override { resolver_.asked_.erase(id_); }

  SystemResolver& resolver_;
  uint64_t id_;
  Answer answer_;
};

SystemResolver::SystemResolver(Loop& loop)
    : loop_(loop), thread_(start_thread([this] { run(); })) {}

SystemResolver::~SystemResolver() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Pending SystemResolver::resolve(std::string host, uint16_t port, Answer answer) {
  const uint64_t id = ++next_id_;
  Asked& asked =
      *asked_.emplace(id, std::make_unique<Asked>(*this, id, std::move(answer))).first->second;
  if (const auto address = SocketAddress::from_ip(host, port)) {
    loop_.later(
        [this, id, address = *address] { deliver(id, std::vector<SocketAddress>{address}); });
    return Pending(asked);
  }
  {
    const std::lock_guard lock(mutex_);
    questions_.push_back({id, std::move(host), port});
  }
  wake_.notify_one();
  return Pending(asked);
}

void SystemResolver::deliver(uint64_t id, Result<std::vector<SocketAddress>> addresses) {
  const auto found = asked_.find(id);
  if (found == asked_.end()) return;
  const Answer answer = found->second->take();
  asked_.erase(found);
  answer(std::move(addresses));
}

void SystemResolver::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !questions_.empty(); });
    if (stopping_) return;
    const Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    auto addresses = resolve_now(question.host, question.port);
    loop_.post(
        [this, id = question.id, addresses = std::move(addresses)] { deliver(id, addresses); });
    lock.lock();
  }
}

}  // namespace usher::net
