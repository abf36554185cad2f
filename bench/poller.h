// One thread's descriptors and who is told when they are ready: epoll, level-triggered. A handler
// has one descriptor, so it may close it and even destroy itself while it is being told.
#pragma once

#include <cstdint>

namespace usher::bench {

class Handler {
 public:
  Handler() = default;
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;
  virtual void on_ready(uint32_t events) = 0;
};

class Poller {
 public:
  Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  ~Poller();

  // Closing the descriptor ends it.
  void add(int descriptor, uint32_t events, Handler& handler);
  void change(int descriptor, uint32_t events, Handler& handler);
  // Tells everybody who is ready; returns after `timeout` milliseconds (-1: never) if nobody was.
  void wait(int timeout);

 private:
  int epoll_;
};

}  // namespace usher::bench
