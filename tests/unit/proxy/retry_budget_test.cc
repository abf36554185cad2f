#include "proxy/retry_budget.h"

#include <gtest/gtest.h>

namespace usher::proxy {
namespace {

using namespace std::chrono_literals;

int taken(RetryBudget& budget, MonotonicTime now, int wanted = 10'000) {
  int taken = 0;
  for (int i = 0; i < wanted; ++i)
    taken += budget.take(now);
  return taken;
}

TEST(RetryBudget, HasTenASecondForAnUpstreamThatIsHardlyUsed) {
  RetryBudget budget;
  EXPECT_EQ(taken(budget, ManualClock().now()), 100);
}

TEST(RetryBudget, GrowsByOneForEveryFiveRequests) {
  RetryBudget budget;
  const MonotonicTime now = ManualClock().now();
  for (int i = 0; i < 5004; ++i)
    budget.count_request(now);
  EXPECT_EQ(taken(budget, now), 100 + 1000);
}

TEST(RetryBudget, ForgetsWhatIsOlderThanTenSeconds) {
  RetryBudget budget;
  const MonotonicTime start = ManualClock().now();
  for (int i = 0; i < 1000; ++i)
    budget.count_request(start);
  EXPECT_EQ(taken(budget, start + 9s), 300);
  EXPECT_EQ(taken(budget, start + 9999ms), 0);
  EXPECT_EQ(taken(budget, start + 10s), 0) << "the requests are forgotten, the retries are not";
  EXPECT_EQ(taken(budget, start + 19s), 100);
  EXPECT_EQ(taken(budget, start + 300s), 100);
}

TEST(RetryBudget, NeverLetsAStormThrough) {
  RetryBudget budget;
  ManualClock clock;
  int requests = 0;
  int retries = 0;
  // Every request fails and wants to be sent again, for a minute.
  for (int tick = 0; tick < 6000; ++tick) {
    for (int i = 0; i < 5; ++i) {
      budget.count_request(clock.now());
      ++requests;
      retries += budget.take(clock.now());
    }
    clock.advance(10ms);
  }
  EXPECT_LE(retries, requests / 5 + 10 * 60 + 100);
  EXPECT_GE(retries, requests / 5);
}

}  // namespace
}  // namespace usher::proxy
