#include "routing/store_status.h"

#include <utility>

namespace usher::routing {

std::string_view name_of(StoreState state) {
  switch (state) {
    case StoreState::unknown: return "unknown";
    case StoreState::up: return "up";
    case StoreState::down: return "down";
  }
  return "unknown";
}

StoreStatus::StoreStatus(const Log& log, std::string url) : log_(log), url_(std::move(url)) {}

std::string StoreStatus::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

void StoreStatus::on_state(StoreState from, StoreState to, const Error* why) {
  const std::lock_guard lock(mutex_);
  if (from == StoreState::up) --up_;
  if (from == StoreState::down) --down_;
  if (to == StoreState::up) ++up_;
  if (to == StoreState::down) ++down_;
  if (why) last_error_ = to_string(*why);

  const StoreState before = state();
  const StoreState now = down_ > 0 ? StoreState::down
                         : up_ > 0 ? StoreState::up
                                   : StoreState::unknown;
  if (now == before) return;
  state_.store(now, std::memory_order_relaxed);
  if (now == StoreState::down) {
    log_.warning("store_down", {{"store", url_}, {"error", last_error_}});
  } else if (now == StoreState::up) {
    log_.info("store_up", {{"store", url_}});
  }
}

void StoreStatus::on_call(const Error* error, std::optional<std::chrono::microseconds> round_trip) {
  calls_.fetch_add(1, std::memory_order_relaxed);
  if (error) failures_.fetch_add(1, std::memory_order_relaxed);
  if (error && error->code == Errc::store_timeout) {
    timeouts_.fetch_add(1, std::memory_order_relaxed);
  }
  if (!round_trip) return;
  last_round_trip_.store(round_trip->count(), std::memory_order_relaxed);
  round_trips_.record(*round_trip);
}

}  // namespace usher::routing
