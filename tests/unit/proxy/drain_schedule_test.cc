#include "proxy/drain_schedule.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace usher::proxy {
namespace {

using namespace std::chrono_literals;

const MonotonicTime begin = ManualClock().now();

TEST(DrainSchedule, TellsNobodyInTheFirstTwoThirds) {
  const DrainSchedule schedule(begin, 30s);
  for (const auto at : {0s, 10s, 19s}) {
    EXPECT_EQ(schedule.share(begin, begin + at), 0) << at.count();
    EXPECT_FALSE(schedule.cuts(begin + at));
  }
  EXPECT_EQ(schedule.share(begin, begin + 20s), 0);
  EXPECT_GT(schedule.share(begin, begin + 20'001ms), 0);
}

TEST(DrainSchedule, LeavesTimeToAnswerToWhoIsToldLast) {
  for (const Duration limit : {100ms, 1000ms, 30'000ms, 300'000ms}) {
    const DrainSchedule schedule(begin, limit);
    MonotonicTime now = begin;
    while (schedule.share(now - DrainSchedule::tick, now) < 1)
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
  MonotonicTime last = begin;
  // A busy loop looks late now and then.
  std::uniform_int_distribution<int> pause(50, 300);
  while (left > 0) {
    ASSERT_LT(last, begin + 30s);
    const MonotonicTime now = last + Duration(pause(random));
    const int told = std::binomial_distribution<int>(left, schedule.share(last, now))(random);
    // What is told late counts for the time since the last look.
    const MonotonicTime middle =
        std::max(last, begin + 20s) + (now - std::max(last, begin + 20s)) / 2;
    told_in_second[static_cast<size_t>((middle - begin) / 1s)] += told;
    left -= told;
    last = now;
  }
  for (size_t second = 20; second < 27; ++second)
    EXPECT_NEAR(told_in_second[second], websockets / 7, websockets / 25) << second;
}

TEST(DrainSchedule, CutsWhatIsLeftSoThatItEndsInTime) {
  const DrainSchedule schedule(begin, 30s);
  EXPECT_FALSE(schedule.cuts(begin + 29'400ms));
  EXPECT_TRUE(schedule.cuts(begin + 29'500ms));
  const DrainSchedule brief(begin, 1s);
  EXPECT_FALSE(brief.cuts(begin + 899ms));
  EXPECT_TRUE(brief.cuts(begin + 900ms));
}

// --- Of a process that stops

// When the first and the last of many are told, looked at every tick.
std::pair<Duration, Duration> farewells(const DrainSchedule& schedule) {
  std::optional<MonotonicTime> first;
  MonotonicTime now = begin;
  while (schedule.share(now - DrainSchedule::tick, now) < 1) {
    now += DrainSchedule::tick;
    if (!first && schedule.share(now - DrainSchedule::tick, now) > 0) first = now;
  }
  const auto since_begin = [](MonotonicTime then) {
    return std::chrono::duration_cast<Duration>(then - begin);
  };
  return {since_begin(first.value_or(now)), since_begin(now)};
}

TEST(DrainSchedule, AStopAcceptsUntilAMomentBeforeItsEnd) {
  for (const auto& [limit, closes] :
       {std::pair{1000ms, 750ms}, {8000ms, 6500ms}, {30'000ms, 28'500ms}, {600'000ms, 598'500ms}}) {
    const DrainSchedule schedule = DrainSchedule::to_stop(begin, limit, 30);
    EXPECT_FALSE(schedule.closes_doors(begin + closes - 1ms)) << limit.count();
    EXPECT_TRUE(schedule.closes_doors(begin + closes)) << limit.count();
    EXPECT_FALSE(schedule.cuts(begin + closes)) << limit.count();
    EXPECT_FALSE(schedule.over(begin + limit - 1ms));
    EXPECT_TRUE(schedule.over(begin + limit));
  }
}

TEST(DrainSchedule, AStopTellsFewWebsocketsSoLateThatNobodyComesBackBeforeItsDoorsAreClosed) {
  // Socket.IO comes back half a second after a Close at the earliest.
  for (const uint64_t websockets : {1U, 30U, 200U}) {
    const auto [first, last] = farewells(DrainSchedule::to_stop(begin, 8s, websockets));
    EXPECT_GE(first, 6050ms) << websockets;
    EXPECT_LE(last, 6500ms + DrainSchedule::tick) << websockets;
  }
}

TEST(DrainSchedule, AStopTellsManyWebsocketsNoFasterThanTheyCanBeTaken) {
  const auto [first, last] = farewells(DrainSchedule::to_stop(begin, 30s, 3000));
  EXPECT_NEAR(static_cast<double>((last - first).count()), 6000, 100);
  // But never in the first two thirds, when balancers have to notice.
  EXPECT_GE(farewells(DrainSchedule::to_stop(begin, 30s, 1'000'000)).first, 20s);
  EXPECT_GE(farewells(DrainSchedule::to_stop(begin, 30s, ~uint64_t{0})).first, 20s);
}

TEST(DrainSchedule, AStopTellsWhoHasComeBackOnlyWithTheLast) {
  const DrainSchedule schedule = DrainSchedule::to_stop(begin, 30s, 3000);
  EXPECT_FALSE(schedule.has_returned(begin - 1h));
  EXPECT_FALSE(schedule.has_returned(begin + 22s));
  EXPECT_TRUE(schedule.has_returned(begin + 24s));
  EXPECT_FALSE(schedule.tells_all(begin + 28'499ms));
  EXPECT_TRUE(schedule.tells_all(begin + 28'500ms));
}

TEST(DrainSchedule, BearsALimitOfNothing) {
  const DrainSchedule schedule(begin, 1ms);
  EXPECT_EQ(schedule.share(begin, begin + 1ms), 1);
  EXPECT_TRUE(schedule.cuts(begin + 1ms));
  EXPECT_GT(schedule.parting(begin + 1h), 0ms);
}

}  // namespace
}  // namespace usher::proxy
