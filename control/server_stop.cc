// How a process ends: it accepts no more, what is open may finish within a limit, and then it goes.

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
  drain_until_ = clock_.now() + limit;
  log_.info("draining", {{"limit_ms", static_cast<int64_t>(limit.count())}});
  listeners_.close();
  for (const auto& worker : workers_)
    worker->drain(limit, departure);
  drain_look_.start(drain_look_interval);
}

void Server::on_drain_look() {
  uint64_t connections = 0;
  bool accepts = false;
  for (const auto& worker : workers_) {
    // First: one that has left has counted all that it accepted.
    accepts = !worker->has_left() || accepts;
    connections += worker->counters().connections.value();
  }
  const MonotonicTime now = clock_.now();
  if ((connections == 0 && !accepts) || now >= drain_until_) {
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
