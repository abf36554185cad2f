#include "proxy/retry_budget.h"

#include <chrono>

namespace usher::proxy {
namespace {

int64_t second_of(MonotonicTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

RetryBudget::Second& RetryBudget::at(MonotonicTime now) {
  const int64_t number = second_of(now);
  Second& second = seconds_[static_cast<size_t>(number) % seconds];
  if (second.number != number) second = {.number = number};
  return second;
}

bool RetryBudget::take(MonotonicTime now) {
  Second& current = at(now);
  uint64_t requests = 0;
  uint64_t retries = 0;
  for (const Second& second : seconds_) {
    if (second.number < 0 || current.number - second.number >= int64_t{seconds}) continue;
    requests += second.requests;
    retries += second.retries;
  }
  if (retries >= requests / requests_for_one + always_in_a_second * seconds) return false;
  ++current.retries;
  return true;
}

}  // namespace usher::proxy
