#include "proxy/connection_limit.h"

#include <gtest/gtest.h>

namespace usher::proxy {
namespace {

using namespace std::chrono_literals;

TEST(ConnectionLimit, CountsForEachAddress) {
  ConnectionLimit limit;
  EXPECT_TRUE(limit.enter("192.0.2.1", 2));
  EXPECT_TRUE(limit.enter("192.0.2.1", 2));
  EXPECT_FALSE(limit.enter("192.0.2.1", 2));
  EXPECT_TRUE(limit.enter("192.0.2.2", 2));
  limit.leave("192.0.2.1");
  EXPECT_TRUE(limit.enter("192.0.2.1", 2));
  EXPECT_FALSE(limit.enter("192.0.2.1", 2));
}

TEST(RefusalBudget, HasSoManyAtOnceAndInASecond) {
  const ManualClock clock;
  const MonotonicTime start = clock.now();
  RefusalBudget budget;
  for (size_t i = 0; i < RefusalBudget::most_at_once; ++i)
    EXPECT_TRUE(budget.take(start));
  EXPECT_FALSE(budget.take(start));
  EXPECT_FALSE(budget.take(start + 5s)) << "they are still at it";
  for (size_t i = 0; i < RefusalBudget::most_at_once; ++i)
    budget.give_back();

  for (size_t i = 0; i < RefusalBudget::most_a_second; ++i) {
    EXPECT_TRUE(budget.take(start + 10s));
    budget.give_back();
  }
  EXPECT_FALSE(budget.take(start + 10'999ms));
  EXPECT_TRUE(budget.take(start + 11s));
}

}  // namespace
}  // namespace usher::proxy
