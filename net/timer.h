// A one-shot timer that calls a member function: Timer<&Owner::on_idle> idle_{loop, *this};
// Starting it again moves its time. It re-arms lazily: moving the time further away costs no heap
// operation, so a deadline may be pushed on at every read. Its owner's destruction stops it.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <chrono>

#include "base/clock.h"
#include "net/loop.h"

namespace usher::net {

class TimerBase {
 public:
  TimerBase(const TimerBase&) = delete;
  TimerBase& operator=(const TimerBase&) = delete;

  void start(std::chrono::milliseconds after);
  void stop() { due_ = MonotonicTime::max(); }
  bool running() const { return due_ != MonotonicTime::max(); }

 protected:
  using Call = void (*)(void* owner);
  TimerBase(Loop& loop, void* owner, Call call);
  ~TimerBase();

 private:
  static void on_event(evutil_socket_t, short, void* self) noexcept;
  void arm(MonotonicTime at);

  Loop& loop_;
  void* owner_;
  Call call_;
  MonotonicTime due_ = MonotonicTime::max();
  MonotonicTime armed_ = MonotonicTime::max();
  event event_;
};

template <auto Method>
class Timer;

template <typename Owner, void (Owner::*Method)()>
class Timer<Method> final : public TimerBase {
 public:
  Timer(Loop& loop, Owner& owner)
      : TimerBase(loop, &owner, [](void* self) { (static_cast<Owner*>(self)->*Method)(); }) {}
};

}  // namespace usher::net
