#include "proxy/drain_schedule.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace usher::proxy {
namespace {

using namespace std::chrono_literals;

const MonotonicTime begin = ManualClock().now();

TEST(DrainSchedule, TellsNobodyInTheFirstTwoThirds) {
  const DrainSchedule schedule(begin, 30s);
  for (const auto at : {0s, 10s, 19s}) {
    EXPECT_EQ(schedule.share(begin + at), 0) << at.count();
    EXPECT_FALSE(schedule.cuts(begin + at));
  }
  EXPECT_GT(schedule.share(begin + 20s), 0);
}

TEST(DrainSchedule, LeavesTimeToAnswerToWhoIsToldLast) {
  for (const Duration limit : {100ms, 1000ms, 30'000ms, 300'000ms}) {
    const DrainSchedule schedule(begin, limit);
    MonotonicTime now = begin;
    while (schedule.share(now) < 1)
      now += DrainSchedule::tick;
    EXPECT_LE(now, begin + limit) << limit.count();
    EXPECT_GE(now, begin + limit * 2 / 3) << limit.count();
    EXPECT_LE(now + schedule.parting(now), begin + limit + DrainSchedule::tick) << limit.count();
  }
}

TEST(DrainSchedule, MakesEveryMomentOfTheLastThirdEquallyLikely) {
  constexpr int websockets = 40'000;
  const DrainSchedule schedule(begin, 30s);
  std::minstd_rand random(7);
  int left = websockets;
  std::vector<int> told_in_second(30);
  for (MonotonicTime now = begin; left > 0; now += DrainSchedule::tick) {
    ASSERT_LT(now, begin + 30s);
    const int told = std::binomial_distribution<int>(left, schedule.share(now))(random);
    told_in_second[static_cast<size_t>((now - begin) / 1s)] += told;
    left -= told;
  }
  for (size_t second = 20; second < 27; ++second)
    EXPECT_NEAR(told_in_second[second], websockets / 7, websockets / 70) << second;
}

TEST(DrainSchedule, CutsWhatIsLeftSoThatItEndsInTime) {
  const DrainSchedule schedule(begin, 30s);
  EXPECT_FALSE(schedule.cuts(begin + 29'400ms));
  EXPECT_TRUE(schedule.cuts(begin + 29'500ms));
  const DrainSchedule brief(begin, 1s);
  EXPECT_FALSE(brief.cuts(begin + 899ms));
  EXPECT_TRUE(brief.cuts(begin + 900ms));
}

TEST(DrainSchedule, BearsALimitOfNothing) {
  const DrainSchedule schedule(begin, 1ms);
  EXPECT_EQ(schedule.share(begin), 1);
  EXPECT_TRUE(schedule.cuts(begin + 1ms));
  EXPECT_GT(schedule.parting(begin + 1h), 0ms);
}

}  // namespace
}  // namespace usher::proxy
