#include "bench/replica/metronome.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>

#include "bench/fail.h"
#include "bench/stamp.h"

namespace usher::bench {

Metronome::Metronome(Poller& poller)
    : timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (timer_ < 0) fail_errno("timerfd_create");
  poller.add(timer_, EPOLLIN, *this);
}

Metronome::~Metronome() { ::close(timer_); }

void Metronome::set_timer(int64_t period) {
  itimerspec time{};
  time.it_interval.tv_nsec = time.it_value.tv_nsec = period;
  if (::timerfd_settime(timer_, 0, &time, nullptr) < 0) fail_errno("timerfd_settime");
}

void Metronome::join(Stream& stream) {
  auto emptiest = std::min_element(slots_.begin(), slots_.end(), [](auto& left, auto& right) {
    return left.size() < right.size();
  });
  emptiest->push_back(&stream);
  if (streams_++ == 0) set_timer(kTokenInterval / static_cast<int64_t>(kSlots));
}

void Metronome::leave(Stream& stream) {
  for (auto& slot : slots_) {
    auto removed = std::erase(slot, &stream);
    streams_ -= removed;
    if (removed > 0 && streams_ == 0) set_timer(0);
  }
}

void Metronome::on_ready(uint32_t) {
  uint64_t beats = 0;
  if (::read(timer_, &beats, sizeof beats) < 0) return;
  // Late is made up for: the rate stays what it is said to be.
  for (; beats > 0; --beats) {
    slot_ = (slot_ + 1) % kSlots;
    for (Stream* stream : slots_[slot_]) {
      stream->on_beat();
    }
  }
}

}  // namespace usher::bench
