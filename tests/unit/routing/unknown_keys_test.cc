#include "routing/unknown_keys.h"

#include <gtest/gtest.h>

#include "tests/unit/routing/fleet.h"

namespace usher::routing {
namespace {

TEST(UnknownKeys, AreRememberedForAMoment) {
  ManualClock clock;
  UnknownKeys unknown(clock);
  EXPECT_FALSE(unknown.has("sid:a"));
  unknown.add("sid:a");
  EXPECT_TRUE(unknown.has("sid:a"));
  EXPECT_FALSE(unknown.has("sid:b"));
  clock.advance(UnknownKeys::life - Duration(1));
  EXPECT_TRUE(unknown.has("sid:a"));
  clock.advance(Duration(1));
  EXPECT_FALSE(unknown.has("sid:a"));
}

TEST(UnknownKeys, AreForgottenWhenTheyAreStored) {
  ManualClock clock;
  UnknownKeys unknown(clock);
  unknown.add("acme:a");
  unknown.remove("acme:a");
  unknown.remove("acme:b");
  EXPECT_FALSE(unknown.has("acme:a"));
}

TEST(UnknownKeys, AreBoundedAndTheOldestGoesFirst) {
  ManualClock clock;
  UnknownKeys unknown(clock, 3);
  for (size_t i = 0; i < 1000; ++i)
    unknown.add(numbered("sid:", i));
  EXPECT_EQ(unknown.size(), 3u);
  EXPECT_FALSE(unknown.has("sid:996"));
  EXPECT_TRUE(unknown.has("sid:997"));
  unknown.add("sid:997");
  unknown.add("sid:x");
  EXPECT_TRUE(unknown.has("sid:997")) << "it has just been asked about again";
  clock.advance(UnknownKeys::life);
  unknown.add("sid:y");
  EXPECT_EQ(unknown.size(), 1u);
}

}  // namespace
}  // namespace usher::routing
