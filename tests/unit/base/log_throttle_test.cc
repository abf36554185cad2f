#include "base/log_throttle.h"

#include <gtest/gtest.h>

namespace usher {
namespace {

using namespace std::chrono_literals;

TEST(LogThrottle, LetsOneLineOfAKeyThroughInAnInterval) {
  const ManualClock clock;
  const MonotonicTime start = clock.now();
  LogThrottle throttle;
  EXPECT_EQ(throttle.admit("a", 10s, start), 0U);
  EXPECT_EQ(throttle.admit("b", 10s, start), 0U);
  EXPECT_EQ(throttle.admit("a", 10s, start + 1s), std::nullopt);
  EXPECT_EQ(throttle.admit("a", 10s, start + 9999ms), std::nullopt);
  EXPECT_EQ(throttle.admit("a", 10s, start + 10s), 2U);
  EXPECT_EQ(throttle.admit("a", 10s, start + 11s), std::nullopt);
  EXPECT_EQ(throttle.admit("a", 10s, start + 21s), 1U);
  EXPECT_EQ(throttle.admit("b", 10s, start + 21s), 0U);
}

TEST(LogThrottle, TakesTheRestForOneWhenThereAreTooManyKeys) {
  const ManualClock clock;
  const MonotonicTime start = clock.now();
  LogThrottle throttle;
  for (size_t i = 0; i < LogThrottle::most_keys; ++i)
    EXPECT_EQ(throttle.admit("key " + std::to_string(i), 10s, start), 0U);
  EXPECT_EQ(throttle.admit("one more", 10s, start + 1s), 0U);
  EXPECT_EQ(throttle.admit("and another", 10s, start + 2s), std::nullopt);
  EXPECT_EQ(throttle.admit("key 0", 10s, start + 2s), std::nullopt);
  // What is over makes room.
  EXPECT_EQ(throttle.admit("later", 10s, start + 10s), 0U);
  EXPECT_EQ(throttle.admit("later still", 10s, start + 10s), 0U);
}

}  // namespace
}  // namespace usher
