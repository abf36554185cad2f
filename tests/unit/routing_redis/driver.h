// Runs a loop until something has happened, or for too long.
#pragma once

#include <chrono>
#include <functional>

#include "net/loop.h"
#include "net/timer.h"

namespace usher::routing::redis {

class Driver final {
 public:
  // False when `limit` passed first.
  bool until(std::function<bool()> done, Duration limit = std::chrono::seconds(20)) {
    done_ = std::move(done);
    ends_at_ = loop.now() + limit;
    on_tick();
    loop.run();
    return done_();
  }
  void run_for(Duration time) {
    (void)until([] { return false; }, time);
  }

  net::Loop loop;

 private:
  void on_tick() {
    if (done_() || loop.now() >= ends_at_) return loop.stop();
    tick_.start(std::chrono::milliseconds(1));
  }

  std::function<bool()> done_;
  MonotonicTime ends_at_;
  net::Timer<&Driver::on_tick> tick_{loop, *this};
};

}  // namespace usher::routing::redis
