// An accepting socket. Every worker has its own on the same address (SO_REUSEPORT). When
// descriptors run out it rests for a moment instead of spinning or dying.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <functional>
#include <span>

#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "net/loop.h"
#include "net/timer.h"

namespace usher::net {

class Listener final {
 public:
  // Gets each accepted socket: non-blocking, close-on-exec, TCP_NODELAY.
  using Accepted = std::function<void(Fd, const SocketAddress& peer)>;
  // Called with the reason when accepting stops for a while; not again before it has succeeded.
  using Resting = std::function<void(const Error&)>;

  // Asked before each socket is accepted. False: those that come wait in the kernel's queue.
  using Ready = std::function<bool()>;

  // Binds and listens, on whatever thread makes it; several with one address share it.
  static Result<Fd> bind(const SocketAddress& address);
  static SocketAddress bound_address(const Fd& fd);
  // Sockets other than these listen at the very address. False where the kernel does not tell.
  static bool others_at(const SocketAddress& address, std::span<const Fd> ours);
  // One that another process bound: from now on as bind() makes them.
  static void prepare(const Fd& fd);

  Listener(Loop& loop, Fd fd, Accepted accepted, Resting resting, Ready ready = {});
  ~Listener();
  // Accepts all that has come until now: who closes a socket resets the connections that wait in
  // it.
  void accept_rest();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  static void on_event(evutil_socket_t, short, void* self) noexcept;
  // False: nobody waits, or there is no room.
  bool accept_one();
  void accept_some();
  void on_rested();
  void rest(Error why, Duration time);

  Fd fd_;
  Accepted accepted_;
  Resting resting_;
  Ready ready_;
  event event_;
  Timer<&Listener::on_rested> rest_;
  bool tired_ = false;  // nothing was accepted since the last rest
};

}  // namespace usher::net
