// When what happens while a worker drains. First only requests finish: balancers and DNS need time
// to notice, and a client that is told too early would come back to this node. In the last third
// the websockets are told to go, spread evenly, so that thousands of clients do not reconnect in
// one instant. At the end what is left is cut. docs/operations.md explains the choice.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace usher::proxy {

class DrainSchedule final {
 public:
  static constexpr Duration tick{50};

  DrainSchedule(MonotonicTime begin, Duration limit)
      : farewells_from_(begin + limit * 2 / 3),
        farewells_until_(begin + limit - std::min<Duration>(longest_parting, limit / 6)),
        cut_at_(begin + limit - std::min<Duration>(longest_flush, limit / 10)),
        end_(begin + limit) {}

  // How likely it is that a websocket which had not been told at `last` is told by `now`: so that
  // all moments between the first and the last farewell are equally likely, however late one looks.
  double share(MonotonicTime last, MonotonicTime now) const {
    last = std::max(last, farewells_from_);
    if (now >= farewells_until_) return 1;
    if (now <= last) return 0;
    return std::chrono::duration<double>(now - last) / (farewells_until_ - last);
  }
  // How long a websocket that is told now may take to answer.
  Duration parting(MonotonicTime now) const {
    const auto left = std::chrono::duration_cast<Duration>(end_ - now);
    return std::clamp<Duration>(left, tick, longest_parting);
  }
  bool cuts(MonotonicTime now) const { return now >= cut_at_; }

 private:
  static constexpr Duration longest_parting{3000};
  // A response that is cut still gets this long to leave its queue.
  static constexpr Duration longest_flush{500};

  MonotonicTime farewells_from_;
  MonotonicTime farewells_until_;
  MonotonicTime cut_at_;
  MonotonicTime end_;
};

}  // namespace usher::proxy
