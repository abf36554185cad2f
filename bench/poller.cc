#include "bench/poller.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "bench/fail.h"

namespace usher::bench {

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) fail_errno("epoll_create1");
}

Poller::~Poller() { ::close(epoll_); }

void Poller::add(int descriptor, uint32_t events, Handler& handler) {
  epoll_event event{.events = events, .data = {.ptr = &handler}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) < 0) fail_errno("epoll_ctl");
}

void Poller::change(int descriptor, uint32_t events, Handler& handler) {
  epoll_event event{.events = events, .data = {.ptr = &handler}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) < 0) fail_errno("epoll_ctl");
}

void Poller::wait(int timeout) {
  std::array<epoll_event, 256> ready;
  int count = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), timeout);
  if (count < 0 && errno != EINTR) fail_errno("epoll_wait");
  for (int i = 0; i < count; ++i) {
    auto& event = ready[static_cast<size_t>(i)];
    static_cast<Handler*>(event.data.ptr)->on_ready(event.events);
  }
}

}  // namespace usher::bench
