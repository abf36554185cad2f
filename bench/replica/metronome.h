// Lets every stream send one message in each interval, and spreads the streams evenly over it: a
// replica that sent them all at once would hide what a proxy pays for a message.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/poller.h"

namespace usher::bench {

class Stream {
 public:
  virtual void on_beat() = 0;

 protected:
  ~Stream() = default;
};

class Metronome : public Handler {
 public:
  explicit Metronome(Poller& poller);
  ~Metronome() override;

  // The stream is called once in each interval, until it leaves. Not to be called within on_beat().
  void join(Stream& stream);
  void leave(Stream& stream);

  void on_ready(uint32_t events) override;

 private:
  static constexpr size_t kSlots = 200;

  void set_timer(int64_t period);

  int timer_;
  size_t streams_ = 0;
  size_t slot_ = 0;
  std::array<std::vector<Stream*>, kSlots> slots_;
};

}  // namespace usher::bench
