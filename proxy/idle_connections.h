// Connections of one worker that carry no request, the one that has been so for longest
// first. Any thread may ask since when that is, and how many there are; everything else belongs to
// the worker's.
#pragma once

#include <atomic>
#include <iterator>
#include <list>

#include "base/clock.h"

namespace usher::proxy {

template <typename Connection>
class IdleConnections final {
  struct Entry {
    Connection* connection;
    MonotonicTime since;
    bool idle;
  };
  using Entries = std::list<Entry>;

 public:
  using Place = typename Entries::iterator;
  static constexpr MonotonicTime nobody = MonotonicTime::max();

  Place add(Connection& connection, MonotonicTime now) {
    idle_.push_back({&connection, now, true});
    publish();
    return std::prev(idle_.end());
  }
  void remove(Place place) {
    (place->idle ? idle_ : busy_).erase(place);
    publish();
  }
  // From now on, whatever it was.
  void make_idle(Place place, MonotonicTime now) {
    idle_.splice(idle_.end(), place->idle ? idle_ : busy_, place);
    place->since = now;
    place->idle = true;
    publish();
  }
  void make_busy(Place place) {
    if (!place->idle) return;
    busy_.splice(busy_.end(), idle_, place);
    place->idle = false;
    publish();
  }

  // Of the `look` oldest ones the one for which `weight` is greatest, the older one at a tie;
  // nullptr: none is idle.
  Connection* choose(size_t look, auto weight) const {
    Connection* chosen = nullptr;
    uint64_t heaviest = 0;
    for (auto each = idle_.begin(); each != idle_.end() && look > 0; ++each, --look) {
      const uint64_t heavy = weight(*each->connection);
      if (chosen && heavy <= heaviest) continue;
      chosen = each->connection;
      heaviest = heavy;
    }
    return chosen;
  }
  size_t count() const { return count_.load(std::memory_order_relaxed); }
  // `nobody` when none is idle.
  MonotonicTime oldest() const { return MonotonicTime(oldest_.load(std::memory_order_relaxed)); }

 private:
  void publish() {
    const MonotonicTime oldest = idle_.empty() ? nobody : idle_.front().since;
    oldest_.store(oldest.time_since_epoch(), std::memory_order_relaxed);
    count_.store(idle_.size(), std::memory_order_relaxed);
  }

  Entries idle_;
  Entries busy_;  // so that a connection becomes idle without an allocation
  std::atomic<size_t> count_{0};
  std::atomic<MonotonicTime::duration> oldest_{nobody.time_since_epoch()};
};

}  // namespace usher::proxy
