#include "routing/replica_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace usher::routing {
namespace {

struct Line final : ReplicaGate::Line {
  void on_turn(ReplicaGate&) override { ++turns; }
  std::atomic<int> turns{0};
};

TEST(ReplicaGate, LetsInAsManyAsTheLimitAllows) {
  ReplicaGate gate;
  EXPECT_TRUE(gate.enter(2));
  EXPECT_FALSE(gate.full(2));
  EXPECT_TRUE(gate.enter(2));
  EXPECT_TRUE(gate.full(2));
  EXPECT_FALSE(gate.enter(2));
  gate.leave();
  EXPECT_TRUE(gate.enter(2));
  EXPECT_FALSE(gate.full(0)) << "no limit";
}

TEST(ReplicaGate, GivesAFreePlaceToWhoeverHasWaitedLongest) {
  ReplicaGate gate;
  Line first;
  Line second;
  ASSERT_TRUE(gate.enter(1));
  EXPECT_TRUE(gate.wait(first, 1, 10));
  EXPECT_TRUE(gate.wait(second, 1, 10));
  EXPECT_TRUE(gate.wait(first, 1, 10));
  EXPECT_EQ(gate.waiting(), 3u);
  gate.leave();
  EXPECT_EQ(first.turns, 1);
  EXPECT_EQ(second.turns, 0);
  gate.leave();
  EXPECT_EQ(second.turns, 1);
  gate.leave();
  EXPECT_EQ(first.turns, 2);
  EXPECT_EQ(gate.waiting(), 0u);
  EXPECT_TRUE(gate.full(1));
}

TEST(ReplicaGate, LetsNobodyPassThoseWhoWait) {
  ReplicaGate gate;
  Line line;
  ASSERT_TRUE(gate.enter(1));
  EXPECT_TRUE(gate.wait(line, 1, 10));
  EXPECT_FALSE(gate.enter(5)) << "the limit was raised, but somebody waits";
}

TEST(ReplicaGate, HasALineOfLimitedLength) {
  ReplicaGate gate;
  Line line;
  ASSERT_TRUE(gate.enter(1));
  EXPECT_FALSE(gate.wait(line, 1, 0));
  EXPECT_TRUE(gate.wait(line, 1, 2));
  EXPECT_TRUE(gate.wait(line, 1, 2));
  EXPECT_FALSE(gate.wait(line, 1, 2));
}

TEST(ReplicaGate, GivesAPlaceAtOnceToWhoBeginsToWaitWhenOneIsFree) {
  ReplicaGate gate;
  Line line;
  EXPECT_TRUE(gate.wait(line, 1, 10));
  EXPECT_EQ(line.turns, 1);
  EXPECT_EQ(gate.waiting(), 0u);
  EXPECT_FALSE(gate.enter(1));
}

TEST(ReplicaGate, KeepsTheOrderOfTheOthersWhenOneGivesUp) {
  ReplicaGate gate;
  Line first;
  Line second;
  ASSERT_TRUE(gate.enter(1));
  for (Line* line : {&first, &second, &first})
    EXPECT_TRUE(gate.wait(*line, 1, 10));
  EXPECT_TRUE(gate.give_up(first));
  gate.leave();
  EXPECT_EQ(first.turns, 1);
  gate.leave();
  EXPECT_EQ(second.turns, 1);
  EXPECT_FALSE(gate.give_up(second)) << "its turn has come already";
}

TEST(Place, IsGivenBackOnceHoweverItMoves) {
  ReplicaGate gate;
  ASSERT_TRUE(gate.enter(1));
  {
    Place place(gate);
    Place moved(std::move(place));
    place = std::move(moved);
    EXPECT_TRUE(gate.full(1));
  }
  EXPECT_TRUE(gate.enter(1));
  EXPECT_FALSE(gate.enter(1));
}

// Four workers whose requests all want in: never more inside than allowed, and nobody is forgotten.
TEST(ReplicaGate, IsNeverOverfullAndForgetsNobodyWithManyThreads) {
  constexpr uint32_t most = 3;
  constexpr int rounds = 5000;
  ReplicaGate gate;
  std::atomic<int> inside{0};
  std::atomic<int> too_many{0};
  const auto work = [&] {
    Line line;
    int seen = 0;
    for (int i = 0; i < rounds; ++i) {
      if (!gate.enter(most)) {
        if (!gate.wait(line, most, 100)) continue;
        ++seen;
        while (line.turns < seen)
          std::this_thread::yield();
      }
      if (++inside > static_cast<int>(most)) ++too_many;
      --inside;
      gate.leave();
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back(work);
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_EQ(too_many, 0);
  EXPECT_EQ(gate.waiting(), 0u);
  for (uint32_t i = 0; i < most; ++i)
    EXPECT_TRUE(gate.enter(most)) << "every place was given back";
}

}  // namespace
}  // namespace usher::routing
