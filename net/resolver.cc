#include "net/resolver.h"

#include <netdb.h>

#include <algorithm>
#include <memory>

namespace usher::net {
namespace {

Result<std::vector<SocketAddress>> look_up(const std::string& host, uint16_t port) {
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
  std::ranges::sort(addresses, {}, [](const SocketAddress& address) { return to_string(address); });
  const auto [last, end] = std::ranges::unique(addresses);
  addresses.erase(last, end);
  return addresses;
}

}  // namespace

Resolver::Resolver(Loop& loop) : loop_(loop), thread_([this] { run(); }) {}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Resolver::resolve(std::string host, uint16_t port, Answer answer) {
  if (const auto address = SocketAddress::from_ip(host, port)) {
    return loop_.post([answer = std::move(answer), address = *address] {
      answer(std::vector<SocketAddress>{address});
    });
  }
  {
    const std::lock_guard lock(mutex_);
    questions_.push_back({std::move(host), port, std::move(answer)});
  }
  wake_.notify_one();
}

void Resolver::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !questions_.empty(); });
    if (stopping_) return;
    Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    auto addresses = look_up(question.host, question.port);
    loop_.post([answer = std::move(question.answer), addresses = std::move(addresses)] {
      answer(addresses);
    });
    lock.lock();
  }
}

}  // namespace usher::net
