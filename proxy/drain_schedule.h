// When what happens while a worker drains. First only requests finish: balancers and DNS need time
// to notice, and a client that is told too early would come back to this node. Then the websockets
// are told to go, spread evenly, so that thousands of clients do not reconnect in one instant. At
// the end what is left is cut. docs/operations.md explains the choice.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace usher::proxy {

class DrainSchedule final {
 public:
  static constexpr Duration tick{50};

  // Of a replica that drains, or a process that another one has replaced: its clients have
  // somewhere to go, so they are told in the last third, as slowly as that allows.
  DrainSchedule(MonotonicTime begin, Duration limit)
      : farewells_from_(begin + limit * 2 / 3),
        farewells_until_(begin + limit - std::min<Duration>(longest_parting, limit / 6)),
        doors_until_(begin),
        cut_at_(begin + limit - std::min<Duration>(longest_flush, limit / 10)),
        end_(begin + limit) {}

  // Of a process that stops with so many websockets: nobody may be there who serves instead. It
  // accepts for as long as it can, and a client that is told shall not come back before it is gone:
  // so they are told as late, and as quickly, as the others can take them.
  static DrainSchedule to_stop(MonotonicTime begin, Duration limit, uint64_t websockets) {
    DrainSchedule schedule(begin, limit);
    schedule.doors_until_ = schedule.end_ - std::min<Duration>(longest_ending, limit / 4);
    schedule.farewells_until_ = schedule.doors_until_;
    const auto wanted = Duration(std::min(websockets, most_counted) * 1000 / farewells_a_second);
    schedule.farewells_from_ =
        std::max(schedule.farewells_from_, schedule.farewells_until_ - wanted);
    return schedule;
  }

  // How likely it is that a websocket which had not been told at `last` is told by `now`: so that
  // all moments between the first and the last farewell are equally likely, however late one looks.
  double share(MonotonicTime last, MonotonicTime now) const {
    last = std::max(last, farewells_from_);
    if (now >= farewells_until_) return 1;
    if (now <= last) return 0;
    return std::chrono::duration<double>(now - last) / (farewells_until_ - last);
  }
  // A websocket that was opened then has come back since it was told: it goes with the last.
  bool has_returned(MonotonicTime opened) const { return opened > farewells_from_; }
  bool tells_all(MonotonicTime now) const { return now >= farewells_until_; }
  // How long a websocket that is told now may take to answer.
  Duration parting(MonotonicTime now) const {
    const auto left = std::chrono::duration_cast<Duration>(end_ - now);
    return std::clamp<Duration>(left, tick, longest_parting);
  }
  // Nothing new is accepted from now on.
  bool closes_doors(MonotonicTime now) const { return now >= doors_until_; }
  bool cuts(MonotonicTime now) const { return now >= cut_at_; }
  bool over(MonotonicTime now) const { return now >= end_; }

 private:
  static constexpr Duration longest_parting{3000};
  // A response that is cut still gets this long to leave its queue.
  static constexpr Duration longest_flush{500};
  // For what was accepted last, and for the answers to the last farewells.
  static constexpr Duration longest_ending{1500};
  // What replicas can take: each that comes back asks for more than the websocket.
  static constexpr uint64_t farewells_a_second = 500;
  static constexpr uint64_t most_counted = 100'000'000;

  MonotonicTime farewells_from_;
  MonotonicTime farewells_until_;
  MonotonicTime doors_until_;
  MonotonicTime cut_at_;
  MonotonicTime end_;
};

}  // namespace usher::proxy
