// How a process ends: what is open may finish within a limit, and what comes meanwhile is served,
// for nobody else may be there who would. It accepts no more when nothing is left, when another
// process listens where it does, or when the limit is near; and then it goes.

#include <algorithm>
#include <utility>

#include "control/server.h"

namespace usher::control {
namespace {

constexpr std::chrono::milliseconds drain_look_interval{50};

}  // namespace

void Server::stop_on_signal(int signal) {
  if (successor_ && successor_->ready()) on_successor({});
  pass_on(signal);
  successor_.reset();
  if (std::exchange(stopping_, true) || !open_) {
    log_.warning("stopped", {{"reason", "signal"}});
    return loop_.stop();
  }
  if (!replaced_) service_manager_.stopping();
  leave(proxy::Departure::stopping, settings_.timeouts.drain);
}

void Server::leave(proxy::Departure departure, conf::Millis limit) {
  draining_ = true;
  const MonotonicTime now = clock_.now();
  if (departure == proxy::Departure::stopping) {
    uint64_t websockets = 0;
    for (const auto& worker : workers_)
      websockets += worker->counters().websockets.value();
    drain_ = proxy::DrainSchedule::to_stop(now, limit, websockets);
  } else {
    drain_.emplace(now, limit);
    listeners_.close();
  }
  log_.info("draining", {{"limit_ms", static_cast<int64_t>(limit.count())}});
  for (const auto& worker : workers_)
    worker->drain(*drain_, departure);
  drain_look_.start(drain_look_interval);
}

const char* Server::why_to_close_doors() const {
  const bool anybody = std::ranges::any_of(
      workers_, [](const auto& worker) { return worker->counters().connections.value() > 0; });
  if (!anybody) return "nothing is left to finish";
  if (drain_->closes_doors(clock_.now())) return "the time is over";
  if (listeners_.others_listen()) return "another process listens there";
  return nullptr;
}

// The workers' descriptors must be the last: what comes to a socket that nobody accepts at would be
// reset with it.
void Server::close_doors() {
  listeners_.close();
  for (const auto& worker : workers_)
    worker->close_doors();
}

void Server::on_drain_look() {
  if (const char* why = listeners_.closed() ? nullptr : why_to_close_doors()) {
    log_.info("accepts_no_more", {{"reason", why}});
    close_doors();
  }
  uint64_t connections = 0;
  bool accepts = false;
  for (const auto& worker : workers_) {
    // First: one that has left has counted all that it accepted.
    accepts = !worker->has_left() || accepts;
    connections += worker->counters().connections.value();
  }
  if ((connections == 0 && !accepts) || drain_->over(clock_.now())) {
    log_.info("drained", {{"cut", connections}});
    return loop_.stop();
  }
  // Whoever watches this process must hear of it now, not when the last connection is over.
  if (replaced_ && lineage_ && lineage_->extinct()) {
    log_.error("successor_gone", {{"cut", connections}});
    return loop_.stop();
  }
  drain_look_.start(drain_look_interval);
}

void Server::stop_workers() {
  for (const auto& worker : workers_)
    worker->stop();
  for (std::thread& thread : threads_)
    thread.join();
  threads_.clear();
  workers_.clear();
}

}  // namespace usher::control
