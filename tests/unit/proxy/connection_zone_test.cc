#include "proxy/connection_zone.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "proxy/rate_zone.h"

namespace usher::proxy {
namespace {

TEST(ConnectionZone, CountsForEachKey) {
  ConnectionZone zone(1 << 20);
  EXPECT_TRUE(zone.enter("a", 2));
  EXPECT_TRUE(zone.enter("a", 2));
  EXPECT_FALSE(zone.enter("a", 2));
  EXPECT_TRUE(zone.enter("b", 2));
  EXPECT_EQ(zone.keys(), 2U);
  zone.leave("a");
  EXPECT_TRUE(zone.enter("a", 2));
  zone.leave("a");
  zone.leave("a");
  EXPECT_EQ(zone.keys(), 1U) << "a key that has none is not there";
}

TEST(ConnectionZone, RefusesOtherKeysWhenItIsFull) {
  ConnectionZone zone(32 * 1024);
  const auto name = [](size_t i) { return "key" + std::to_string(100'000 + i); };
  const size_t room = 32 * 1024 / (zone_entry_overhead + name(0).size());
  for (size_t i = 0; i < room; ++i)
    EXPECT_TRUE(zone.enter(name(i), 1));
  EXPECT_FALSE(zone.enter(name(room), 1));
  EXPECT_TRUE(zone.enter(name(3), 2)) << "one that is there goes on";
  zone.leave(name(0));
  EXPECT_TRUE(zone.enter(name(room), 1));
}

TEST(ConnectionZone, APlaceIsGivenBackOnce) {
  const auto zone = std::make_shared<ConnectionZone>(1 << 20);
  const std::string key(2 * longest_zone_key, 'x');
  ASSERT_TRUE(zone->enter(key, 1));
  std::vector<ZonePlace> places;
  places.emplace_back(zone, key);
  std::vector<ZonePlace> moved = std::move(places);
  places.clear();
  EXPECT_FALSE(zone->enter(key, 1));
  moved.clear();
  EXPECT_EQ(zone->keys(), 0U);
}

}  // namespace
}  // namespace usher::proxy
