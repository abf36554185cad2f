#include "proxy/idle_connections.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace usher::proxy {
namespace {

struct Connection {};
using Idle = IdleConnections<Connection>;

using namespace std::chrono_literals;

constexpr MonotonicTime start{1h};
constexpr auto alike = [](const Connection&) { return 1u; };

TEST(IdleConnections, NamesTheOneThatHasBeenIdleForLongest) {
  Idle idle;
  Connection first, second;
  EXPECT_EQ(idle.choose(8, alike), nullptr);
  EXPECT_EQ(idle.oldest(), Idle::nobody);
  const auto one = idle.add(first, start);
  const auto two = idle.add(second, start + 1s);
  EXPECT_EQ(idle.choose(8, alike), &first);
  EXPECT_EQ(idle.oldest(), start);
  idle.make_busy(one);
  EXPECT_EQ(idle.choose(8, alike), &second);
  EXPECT_EQ(idle.oldest(), start + 1s);
  idle.make_idle(one, start + 2s);
  EXPECT_EQ(idle.choose(8, alike), &second);
  idle.make_idle(two, start + 3s);
  EXPECT_EQ(idle.choose(8, alike), &first) << "the second one has begun to say something";
  idle.remove(one);
  idle.make_busy(two);
  idle.make_busy(two);
  EXPECT_EQ(idle.choose(8, alike), nullptr);
  EXPECT_EQ(idle.oldest(), Idle::nobody);
  idle.remove(two);
}

TEST(IdleConnections, PreferOfTheOldestOnesThatOfTheLargestCrowd) {
  Idle idle;
  std::vector<Connection> all(10);
  std::vector<Idle::Place> places;
  for (Connection& each : all)
    places.push_back(idle.add(each, start));
  std::map<const Connection*, uint64_t> crowds{{&all[3], 5}, {&all[5], 5}, {&all[9], 100}};
  const auto weight = [&](const Connection& each) { return crowds[&each]; };
  EXPECT_EQ(idle.choose(8, weight), &all[3])
      << "the older one at a tie; the tenth is not looked at";
  for (const auto place : places)
    idle.remove(place);
}

}  // namespace
}  // namespace usher::proxy
