// Tells the process's StoreStatus what one worker's client sees.
#pragma once

#include <chrono>
#include <optional>

#include "routing/redis/redis.h"
#include "routing/store_status.h"

namespace usher::routing::redis {

class StoreWatcher final : public Redis::Watcher {
 public:
  explicit StoreWatcher(StoreStatus& status) : status_(status) {}
  ~StoreWatcher() { move_to(StoreState::unknown, nullptr); }
  StoreWatcher(const StoreWatcher&) = delete;
  StoreWatcher& operator=(const StoreWatcher&) = delete;

  void on_store_up() override { move_to(StoreState::up, nullptr); }
  void on_store_down(const Error& why) override { move_to(StoreState::down, &why); }
  void on_store_call(const Error* error,
                     std::optional<std::chrono::microseconds> round_trip) override {
    status_.on_call(error, round_trip);
  }

 private:
  void move_to(StoreState state, const Error* why) {
    status_.on_state(state_, state, why);
    state_ = state;
  }

  StoreStatus& status_;
  StoreState state_ = StoreState::unknown;
};

}  // namespace usher::routing::redis
