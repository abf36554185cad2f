// A process signal as an event of one loop. Only one loop of a process may watch signals.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <functional>

#include "net/loop.h"

namespace usher::net {

class SignalWatch final {
 public:
  SignalWatch(Loop& loop, int signal, std::function<void()> caught) : caught_(std::move(caught)) {
    event_assign(
        &event_, loop.base(), signal, EV_SIGNAL | EV_PERSIST,
        [](evutil_socket_t, short, void* self) { static_cast<SignalWatch*>(self)->caught_(); },
        this);
    event_add(&event_, nullptr);
  }
  ~SignalWatch() { event_del(&event_); }
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  std::function<void()> caught_;
  event event_;
};

}  // namespace usher::net
