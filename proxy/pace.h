// Whether what should move does: at least so many bytes within each span of time. One byte now and
// then keeps nothing alive.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace usher::proxy {

// Bytes a second of a body while only its client holds it up, counted over timeouts.stall: what
// other servers ask for, and far below the slowest link.
inline constexpr uint64_t least_rate = 240;

class Pace final {
 public:
  struct Wanted {
    uint64_t bytes;
    Duration span;
  };
  // A stall is noticed within a quarter of its span.
  static constexpr int looks_per_span = 4;

  // `rate` bytes a second, over the span; without a rate one byte will do.
  static Wanted at_rate(uint64_t rate, std::chrono::milliseconds span) {
    const uint64_t bytes = rate * static_cast<uint64_t>(span.count()) / 1000;
    return {.bytes = std::max<uint64_t>(bytes, 1), .span = span};
  }

  // Something else is to move now: the next look is the first one.
  void restart() { begun_ = false; }
  // A look at how many bytes have moved so far. `due`: more should. True: that has been too slow.
  bool stuck(uint64_t moved, bool due, const Wanted& wanted, MonotonicTime now) {
    if (begun_ && due && moved < moved_ + wanted.bytes) return now - since_ >= wanted.span;
    moved_ = moved;
    since_ = now;
    begun_ = true;
    return false;
  }

 private:
  uint64_t moved_ = 0;
  MonotonicTime since_{};
  bool begun_ = false;
};

}  // namespace usher::proxy
