#include "routing/node_sids.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/routing/fleet.h"

namespace usher::routing {
namespace {

using namespace std::chrono_literals;

TEST(NodeSids, AreKnownUntilTheirTimeIsOverOrTheyAreProlonged) {
  ManualClock clock;
  NodeSids sids(clock, 0);
  EXPECT_TRUE(sids.keep("a", {"r1", 2}, "net"));
  EXPECT_TRUE(sids.keep("b", {"r1", 1}, "net"));
  clock.advance(NodeSids::life - 1s);
  EXPECT_TRUE(sids.keep("a", {"r2", 1}, "net"));
  EXPECT_EQ(sids.find("a"), (Binding{"r1", 2})) << "the higher epoch";
  clock.advance(1s);
  EXPECT_EQ(sids.find("b"), std::nullopt);
  EXPECT_TRUE(sids.find("a"));
}

TEST(NodeSids, AreNoMoreOfANetworkThanItsShare) {
  ManualClock clock;
  NodeSids sids(clock, 100);
  size_t kept = 0;
  for (size_t i = 0; i < 1000; ++i)
    kept += sids.keep(numbered("a", i), {"r1", 1}, "one") ? 1 : 0;
  EXPECT_EQ(kept, 100u);
  EXPECT_TRUE(sids.keep("b", {"r1", 1}, "two")) << "another network has its own share";
  EXPECT_TRUE(sids.keep("a7", {"r1", 1}, "one")) << "what it has it may keep";
  EXPECT_FALSE(sids.keep("a700", {"r1", 1}, "one"));
  EXPECT_EQ(sids.size(), 101u);
}

TEST(NodeSids, MakeRoomForTheirNetworkWhenTheyAreOver) {
  ManualClock clock;
  NodeSids sids(clock, 100);
  for (int round = 0; round < 5; ++round) {
    for (size_t i = 0; i < 100; ++i)
      ASSERT_TRUE(sids.keep(numbered("a", static_cast<size_t>(round) * 100 + i), {"r1", 1}, "one"));
    EXPECT_FALSE(sids.keep("more", {"r1", 1}, "one"));
    clock.advance(NodeSids::life);
  }
}

TEST(NodeSids, FollowAnotherShare) {
  ManualClock clock;
  NodeSids sids(clock, 1);
  EXPECT_TRUE(sids.keep("a", {"r1", 1}, "one"));
  EXPECT_FALSE(sids.keep("b", {"r1", 1}, "one"));
  sids.set_share(2);
  EXPECT_TRUE(sids.keep("b", {"r1", 1}, "one"));
  sids.set_share(0);
  for (size_t i = 0; i < 1000; ++i)
    EXPECT_TRUE(sids.keep(numbered("c", i), {"r1", 1}, "one"));
}

TEST(NodeSids, AreBoundedTogether) {
  ManualClock clock;
  NodeSids sids(clock, 0, 10);
  for (size_t i = 0; i < 1000; ++i)
    EXPECT_TRUE(sids.keep(numbered("a", i), {"r1", 1}, numbered("net", i)));
  EXPECT_EQ(sids.size(), 10u);
  EXPECT_FALSE(sids.find("a989"));
  EXPECT_TRUE(sids.find("a990"));
}

TEST(NodeSids, MayBeAskedByAllWorkers) {
  const SystemClock clock;
  NodeSids sids(clock, 50, 100);
  std::vector<std::thread> workers;
  for (size_t i = 0; i < 4; ++i) {
    workers.emplace_back([&, i] {
      for (size_t k = 0; k < 500; ++k) {
        (void)sids.keep(numbered("k", k % 70), {numbered("r", i), 1}, numbered("net", k % 3));
        (void)sids.find(numbered("k", k));
      }
    });
  }
  for (std::thread& worker : workers)
    worker.join();
  EXPECT_LE(sids.size(), 100u);
}

}  // namespace
}  // namespace usher::routing
