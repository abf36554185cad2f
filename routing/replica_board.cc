#include "routing/replica_board.h"

#include <algorithm>

namespace usher::routing {
namespace {

constexpr double coldest = 0.1;

// Those who are bound to it have to go elsewhere, or wait.
bool serves_nobody(Health health, bool panic) {
  return health == Health::down || health == Health::starting || (health == Health::ill && !panic);
}

}  // namespace

std::string_view name_of(ReplicaState state) {
  switch (state) {
    case ReplicaState::unknown:
    case ReplicaState::up: return "up";
    case ReplicaState::unready: return "unready";
    case ReplicaState::draining: return "draining";
    case ReplicaState::starting: return "starting";
    case ReplicaState::down: return "down";
  }
  return "up";
}

ReplicaState ReplicaStatus::state() const {
  const Health now = health();
  if (now == Health::starting) return ReplicaState::starting;
  if (serves_nobody(now, panic())) return ReplicaState::down;
  if (draining_.load(std::memory_order_relaxed) || vanished_.load(std::memory_order_relaxed)) {
    return ReplicaState::draining;
  }
  if (now == Health::unready || now == Health::ill) return ReplicaState::unready;
  return now == Health::up ? ReplicaState::up : ReplicaState::unknown;
}

bool ReplicaStatus::takes_new() const {
  const ReplicaState now = state();
  return now == ReplicaState::up || now == ReplicaState::unknown ||
         (now == ReplicaState::unready && panic());
}

void ReplicaStatus::set_health(Health health) {
  note_absence(health_.exchange(health, std::memory_order_relaxed), health);
}

bool ReplicaStatus::change_health(Health from, Health to) {
  if (!health_.compare_exchange_strong(from, to, std::memory_order_relaxed)) return false;
  note_absence(from, to);
  return true;
}

void ReplicaStatus::note_absence(Health before, Health after) {
  if (after == Health::up) {
    failures_.store(0, std::memory_order_relaxed);
    gone_.store(false, std::memory_order_relaxed);
  }
  const bool panics = panic();
  if (serves_nobody(after, panics) && !serves_nobody(before, panics))
    absences_.fetch_add(1, std::memory_order_relaxed);
}

void ReplicaStatus::set_panic(bool panic) {
  if (panic_.exchange(panic, std::memory_order_relaxed) == panic || panic) return;
  if (health() == Health::ill) absences_.fetch_add(1, std::memory_order_relaxed);
}

void ReplicaStatus::set_draining(bool draining, MonotonicTime until) {
  drain_until_.store(draining ? until : MonotonicTime::max(), std::memory_order_relaxed);
  const bool before = draining_.exchange(draining, std::memory_order_relaxed);
  if (draining && !before) absences_.fetch_add(1, std::memory_order_relaxed);
}

void ReplicaStatus::set_vanished(bool vanished) {
  const bool before = vanished_.exchange(vanished, std::memory_order_relaxed);
  if (vanished || !before) return;
  gone_.store(false, std::memory_order_relaxed);
  Health last = Health::down;
  health_.compare_exchange_strong(last, Health::unknown, std::memory_order_relaxed);
}

bool ReplicaStatus::go_down() {
  const Health before = health_.exchange(Health::down, std::memory_order_relaxed);
  note_absence(before, Health::down);
  return before != Health::down;
}

bool ReplicaStatus::connect_refused() {
  gone_.store(true, std::memory_order_relaxed);
  return go_down();
}

bool ReplicaStatus::attempt_failed(uint32_t fall) { return count_failure(fall) && go_down(); }

bool ReplicaStatus::count_failure(uint32_t fall) {
  return failures_.fetch_add(1, std::memory_order_relaxed) + 1 >= fall;
}

void ReplicaStatus::broke_off(uint32_t fall) {
  uint32_t failures = failures_.load(std::memory_order_relaxed);
  while (failures + 1 < fall &&
         !failures_.compare_exchange_weak(failures, failures + 1, std::memory_order_relaxed)) {
  }
}

void ReplicaStatus::answered() {
  // Read first: a line that every worker writes at every response would travel between their
  // caches.
  if (failures_.load(std::memory_order_relaxed) == 0) return;
  failures_.store(0, std::memory_order_relaxed);
}

bool ReplicaStatus::receive(MonotonicTime now, MonotonicTime::duration pause,
                            MonotonicTime::duration burst) {
  MonotonicTime next = next_move_.load(std::memory_order_relaxed);
  return now >= next && next_move_.compare_exchange_strong(
                            next, std::max(next, now - burst) + pause, std::memory_order_relaxed);
}

Duration ReplicaStatus::book_move(MonotonicTime now, MonotonicTime::duration spacing) {
  MonotonicTime next = next_websocket_.load(std::memory_order_relaxed);
  MonotonicTime mine = std::max(next, now);
  while (!next_websocket_.compare_exchange_weak(next, mine + spacing, std::memory_order_relaxed)) {
    mine = std::max(next, now);
  }
  return std::chrono::ceil<Duration>(mine - now);
}

double ReplicaStatus::readiness(MonotonicTime now, Duration slow_start) const {
  const MonotonicTime risen = risen_.load(std::memory_order_relaxed);
  if (risen == MonotonicTime::min() || now >= risen + slow_start) return 1;
  const std::chrono::duration<double> age = std::max(now, risen) - risen;
  return std::max(coldest, age / std::chrono::duration<double>(slow_start));
}

bool ReplicaStatus::counts_nothing() const {
  return in_flight == 0 && websockets == 0 && sessions == 0 && coming == 0 && going == 0 &&
         gate.waiting() == 0;
}

ReplicaBoard::ReplicaBoard(const Clock& clock) : clock_(clock) {}

std::shared_ptr<ReplicaStatus> ReplicaBoard::status_of(std::string_view id,
                                                       std::string_view channel) {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.now();
  std::pair key{std::string(id), std::string(channel)};
  auto known = entries_.find(key);
  if (known == entries_.end()) {
    forget_unused(now);
    known = entries_.emplace(std::move(key), Entry{std::make_shared<ReplicaStatus>(), now}).first;
  }
  known->second.asked = now;
  return known->second.status;
}

size_t ReplicaBoard::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void ReplicaBoard::forget_unused(MonotonicTime now) {
  std::erase_if(entries_, [now](const auto& each) {
    const Entry& entry = each.second;
    return entry.status.use_count() == 1 && now - entry.asked > kept_unused &&
           entry.status->counts_nothing();
  });
}

}  // namespace usher::routing
