#include "proxy/rate_zone.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace usher::proxy {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t size = uint64_t{1} << 20;
constexpr uint64_t ten_a_second = 10'000;
constexpr uint64_t one_a_minute = 1000 / 60;
const MonotonicTime start{1000h};

// How many of so many requests at one moment are taken.
int taken(RateZone& zone, std::string_view key, int requests, uint64_t burst, MonotonicTime now) {
  int count = 0;
  for (int i = 0; i < requests; ++i)
    count += zone.take(key, ten_a_second, burst * 1000, now) <= burst * 1000 ? 1 : 0;
  return count;
}

TEST(RateZone, TakesOneRequestAndTheBurst) {
  RateZone zone(size);
  EXPECT_EQ(taken(zone, "a", 30, 0, start), 1);
  EXPECT_EQ(taken(zone, "b", 30, 5, start), 6);
  EXPECT_EQ(taken(zone, "a", 1, 0, start), 0) << "keys are apart";
}

TEST(RateZone, DrainsAtTheRateToTheMillisecond) {
  RateZone zone(size);
  EXPECT_EQ(taken(zone, "a", 9, 2, start), 3);
  EXPECT_EQ(taken(zone, "a", 9, 2, start + 99ms), 0);
  EXPECT_EQ(taken(zone, "a", 9, 2, start + 100ms), 1);
  EXPECT_EQ(taken(zone, "a", 9, 2, start + 100ms), 0);
  EXPECT_EQ(taken(zone, "a", 9, 2, start + 300ms), 2);
  EXPECT_EQ(taken(zone, "a", 9, 2, start + 24h), 3) << "no more than the burst is saved up";
}

TEST(RateZone, SaysHowFarAheadAKeyIs) {
  RateZone zone(size);
  EXPECT_EQ(zone.look("a", ten_a_second, start), 0U);
  EXPECT_EQ(zone.take("a", ten_a_second, 9000, start), 0U);
  EXPECT_EQ(zone.look("a", ten_a_second, start), 1000U);
  EXPECT_EQ(zone.look("a", ten_a_second, start), 1000U) << "a look counts nothing";
  EXPECT_EQ(zone.take("a", ten_a_second, 9000, start), 1000U);
  EXPECT_EQ(zone.take("a", ten_a_second, 9000, start + 50ms), 1500U);
  EXPECT_EQ(zone.take("a", ten_a_second, 0, start + 50ms), 2500U) << "refused: it does not count";
  EXPECT_EQ(zone.look("a", ten_a_second, start + 50ms), 2500U);
}

TEST(RateZone, DoesNotMindAClockThatIsBehind) {
  RateZone zone(size);
  EXPECT_EQ(zone.take("a", ten_a_second, 9000, start), 0U);
  EXPECT_EQ(zone.take("a", ten_a_second, 9000, start - 5ms), 1000U);
  EXPECT_EQ(zone.take("a", ten_a_second, 9000, start + 100ms), 1000U) << "no time counts twice";
}

TEST(RateZone, KeepsASlowRatesFraction) {
  RateZone zone(size);
  EXPECT_EQ(zone.take("a", one_a_minute, 0, start), 0U);
  EXPECT_GT(zone.take("a", one_a_minute, 0, start + 60s), 0U)
      << "16 thousandths a second, as nginx";
  EXPECT_EQ(zone.take("a", one_a_minute, 0, start + 62'500ms), 0U);
}

TEST(RateZone, IsAsLargeAsItIsSaidToBeAndForgetsWhoWasSilentLongest) {
  RateZone zone(32 * 1024);
  const auto name = [](int i) { return "key" + std::to_string(100'000 + i); };
  const size_t room = 32 * 1024 / (zone_entry_overhead + name(0).size());
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_EQ(zone.take(name(i), ten_a_second, 0, start), 0U);
    EXPECT_GT(zone.look(name(0), ten_a_second, start), 0U) << "who is seen stays";
  }
  EXPECT_EQ(zone.keys(), room);
  EXPECT_GT(zone.look(name(9'999), ten_a_second, start), 0U);
  EXPECT_EQ(zone.look(name(1), ten_a_second, start), 0U);
}

TEST(RateZone, LargeKeysTakeTheRoomOfMany) {
  RateZone zone(32 * 1024);
  for (int i = 0; i < 100; ++i)
    zone.take(std::to_string(i) + std::string(100'000, 'x'), ten_a_second, 0, start);
  EXPECT_EQ(zone.keys(), 32 * 1024 / (zone_entry_overhead + longest_zone_key));
}

TEST(RateZone, ForgetsIdleKeysWithoutNeed) {
  RateZone zone(size);
  for (int i = 0; i < 100; ++i)
    zone.take("old" + std::to_string(i), ten_a_second, 0, start);
  for (int i = 0; i < 500; ++i)
    zone.take("new" + std::to_string(i), ten_a_second, 0, start + 61s);
  EXPECT_EQ(zone.keys(), 500U);
}

TEST(RateZone, LetsAllThreadsTogetherHaveNoMore) {
  RateZone zone(16 * size);
  std::atomic<int> count{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] { count += taken(zone, "a", 1000, 49, start); });
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_EQ(count, 50);
}

}  // namespace
}  // namespace usher::proxy
