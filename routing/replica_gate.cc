#include "routing/replica_gate.h"

#include <algorithm>

namespace usher::routing {

bool ReplicaGate::take(uint32_t most) {
  uint32_t taken = taken_.load();
  while (taken < most) {
    if (taken_.compare_exchange_weak(taken, taken + 1)) return true;
  }
  return false;
}

bool ReplicaGate::enter(uint32_t most) { return waiting_.load() == 0 && take(most); }

bool ReplicaGate::wait(Line& line, uint32_t most, uint32_t longest) {
  const std::lock_guard lock(mutex_);
  if (line_.size() >= longest) return false;
  most_ = most;
  line_.push_back(&line);
  waiting_.store(static_cast<uint32_t>(line_.size()));
  admit();
  return true;
}

bool ReplicaGate::give_up(Line& line) {
  const std::lock_guard lock(mutex_);
  // The last entry of this line, whoever it stood for: the order of the others stays.
  const auto last = std::find(line_.rbegin(), line_.rend(), &line);
  if (last == line_.rend()) return false;
  line_.erase(std::prev(last.base()));
  waiting_.store(static_cast<uint32_t>(line_.size()));
  return true;
}

void ReplicaGate::leave() {
  taken_.fetch_sub(1);
  if (waiting_.load() == 0) return;
  const std::lock_guard lock(mutex_);
  admit();
}

void ReplicaGate::admit() {
  while (!line_.empty() && take(most_)) {
    Line& next = *line_.front();
    line_.pop_front();
    waiting_.store(static_cast<uint32_t>(line_.size()));
    next.on_turn(*this);
  }
}

}  // namespace usher::routing
