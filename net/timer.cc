#include "net/timer.h"

namespace usher::net {

TimerBase::TimerBase(Loop& loop, void* owner, Call call) : loop_(loop), owner_(owner), call_(call) {
  event_assign(&event_, loop.base(), -1, 0, &TimerBase::on_event, this);
}

TimerBase::~TimerBase() { event_del(&event_); }

void TimerBase::start(std::chrono::milliseconds after) {
  due_ = loop_.now() + after;
  if (due_ < armed_) arm(due_);
}

void TimerBase::arm(MonotonicTime at) {
  using namespace std::chrono;
  armed_ = at;
  const auto wait = std::max(duration_cast<microseconds>(at - loop_.now()), microseconds(0));
  const timeval time{static_cast<time_t>(wait.count() / 1'000'000),
                     static_cast<suseconds_t>(wait.count() % 1'000'000)};
  event_add(&event_, &time);
}

void TimerBase::on_event(evutil_socket_t, short, void* self) noexcept {
  auto& timer = *static_cast<TimerBase*>(self);
  timer.armed_ = MonotonicTime::max();
  if (!timer.running()) return;
  if (timer.due_ > timer.loop_.now()) return timer.arm(timer.due_);
  timer.due_ = MonotonicTime::max();
  timer.call_(timer.owner_);
}

}  // namespace usher::net
