// What the process knows of its store: whether it is up, and how it answers. Every worker has its
// own connection; the state is one for all of them, and each change of it is logged once. Any
// thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/histogram.h"
#include "base/log.h"

namespace usher::routing {

enum class StoreState : uint8_t { unknown, up, down };
std::string_view name_of(StoreState state);  // "unknown", "up", "down"

class StoreStatus final {
 public:
  // `url` names the store in the log: without a password.
  StoreStatus(const Log& log, std::string url);

  // Down as soon as one connection is down, up again when all are.
  StoreState state() const { return state_.load(std::memory_order_relaxed); }
  std::string last_error() const;
  uint64_t calls() const { return calls_.load(std::memory_order_relaxed); }
  // Of the calls, those that brought no answer of use; time-outs among them.
  uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }
  uint64_t timeouts() const { return timeouts_.load(std::memory_order_relaxed); }
  std::chrono::microseconds last_round_trip() const {
    return std::chrono::microseconds(last_round_trip_.load(std::memory_order_relaxed));
  }
  Histogram::Reading round_trips() const { return round_trips_.read(); }

  // A connection's state changed (to unknown: it is gone).
  void on_state(StoreState from, StoreState to, const Error* why);
  // A call came to its end. round_trip: when the store answered at all.
  void on_call(const Error* error, std::optional<std::chrono::microseconds> round_trip);

 private:
  const Log& log_;
  const std::string url_;
  mutable std::mutex mutex_;  // for these three
  int up_ = 0;
  int down_ = 0;
  std::string last_error_;
  std::atomic<StoreState> state_{StoreState::unknown};
  std::atomic<uint64_t> calls_{0};
  std::atomic<uint64_t> failures_{0};
  std::atomic<uint64_t> timeouts_{0};
  std::atomic<int64_t> last_round_trip_{0};
  Histogram round_trips_;
};

}  // namespace usher::routing
