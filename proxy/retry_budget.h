// Keeps retries from making an outage worse: those that put load on a replica again are at most a
// fifth of the requests of the last ten seconds, and ten a second besides. Whatever no replica has
// seen (a refused connect) is not charged. One a worker and upstream; pure.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"

namespace usher::proxy {

class RetryBudget final {
 public:
  static constexpr uint64_t requests_for_one = 5;
  static constexpr uint64_t always_in_a_second = 10;
  static constexpr size_t seconds = 10;

  void count_request(MonotonicTime now) { ++at(now).requests; }
  // True: the retry is within the budget, and counted.
  bool take(MonotonicTime now);

 private:
  struct Second {
    int64_t number = -1;  // since the clock's epoch
    uint32_t requests = 0;
    uint32_t retries = 0;
  };
  Second& at(MonotonicTime now);

  std::array<Second, seconds> seconds_{};
};

}  // namespace usher::proxy
