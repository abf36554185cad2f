#include "routing/replica_board.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/unit/routing/fleet.h"

namespace usher::routing {
using namespace std::chrono_literals;

namespace {

struct StateRow {
  Health health;
  bool draining;
  bool vanished;
  bool panic;
  ReplicaState state;
  bool serves_bound;
  bool takes_new;
};

constexpr StateRow state_rows[] = {
    {Health::unknown, false, false, false, ReplicaState::unknown, true, true},
    {Health::unknown, true, false, false, ReplicaState::draining, true, false},
    {Health::unknown, false, true, false, ReplicaState::draining, true, false},
    {Health::up, false, false, false, ReplicaState::up, true, true},
    {Health::up, true, false, false, ReplicaState::draining, true, false},
    {Health::up, false, true, false, ReplicaState::draining, true, false},
    {Health::up, true, true, false, ReplicaState::draining, true, false},
    {Health::up, false, false, true, ReplicaState::up, true, true},
    {Health::unready, false, false, false, ReplicaState::unready, true, false},
    {Health::unready, false, false, true, ReplicaState::unready, true, true},
    {Health::unready, true, false, true, ReplicaState::draining, true, false},
    {Health::ill, false, false, false, ReplicaState::down, false, false},
    {Health::ill, false, false, true, ReplicaState::unready, true, true},
    {Health::ill, true, false, true, ReplicaState::draining, true, false},
    {Health::starting, false, false, false, ReplicaState::starting, false, false},
    {Health::starting, false, false, true, ReplicaState::starting, false, false},
    {Health::down, false, false, false, ReplicaState::down, false, false},
    {Health::down, true, false, false, ReplicaState::down, false, false},
    {Health::down, true, true, false, ReplicaState::down, false, false},
    {Health::down, false, false, true, ReplicaState::down, false, false},
};

TEST(ReplicaStatus, IsWhatItsTableSays) {
  for (const StateRow& row : state_rows) {
    ReplicaStatus status;
    status.set_health(row.health);
    status.set_panic(row.panic);
    status.set_draining(row.draining);
    status.set_vanished(row.vanished);
    SCOPED_TRACE(testing::Message() << "row " << &row - state_rows);
    EXPECT_EQ(status.state(), row.state);
    EXPECT_EQ(status.serves_bound(), row.serves_bound);
    EXPECT_EQ(status.takes_new(), row.takes_new);
  }
}

TEST(ReplicaStatus, BeginsAnewWhenItsAddressComesBack) {
  ReplicaStatus status;
  status.set_health(Health::down);
  status.set_vanished(false);
  EXPECT_EQ(status.state(), ReplicaState::down) << "it was there all the time";
  status.set_vanished(true);
  EXPECT_EQ(status.state(), ReplicaState::down);
  status.set_vanished(false);
  EXPECT_EQ(status.state(), ReplicaState::unknown);
  status.set_health(Health::up);
  status.set_vanished(true);
  status.set_vanished(false);
  EXPECT_EQ(status.state(), ReplicaState::up);
}

TEST(ReplicaStatus, IsAbsentOnlyWhenItHasNobodyAnyMore) {
  ReplicaStatus status;
  status.set_health(Health::up);
  status.set_health(Health::unready);
  status.set_panic(true);
  status.set_health(Health::ill);
  EXPECT_EQ(status.absences(), 0U) << "it stayed in use";
  status.set_panic(false);
  EXPECT_EQ(status.absences(), 1U);
  status.set_health(Health::down);
  status.set_health(Health::starting);
  EXPECT_EQ(status.absences(), 1U);
}

TEST(ReplicaStatus, AWorkersFindingIsNotWrittenOver) {
  ReplicaStatus status;
  status.set_health(Health::up);
  status.connect_refused();
  EXPECT_FALSE(status.change_health(Health::up, Health::unready));
  EXPECT_EQ(status.health(), Health::down);
  EXPECT_TRUE(status.was_gone());
  EXPECT_TRUE(status.change_health(Health::down, Health::up));
  EXPECT_FALSE(status.was_gone());
}

TEST(ReplicaStatus, OnlyARefusalSaysThatItIsGone) {
  ReplicaStatus status;
  EXPECT_TRUE(status.attempt_failed(1));
  EXPECT_EQ(status.health(), Health::down);
  EXPECT_FALSE(status.was_gone());
}

TEST(ReplicaStatus, IsNamedAsTheStatusPageNamesIt) {
  EXPECT_EQ(name_of(ReplicaState::unknown), "up");
  EXPECT_EQ(name_of(ReplicaState::up), "up");
  EXPECT_EQ(name_of(ReplicaState::down), "down");
  EXPECT_EQ(name_of(ReplicaState::draining), "draining");
  EXPECT_EQ(name_of(ReplicaState::unready), "unready");
  EXPECT_EQ(name_of(ReplicaState::starting), "starting");
}

TEST(ReplicaStatus, GoesDownAtTheFirstRefusedConnectAndTellsOne) {
  ReplicaStatus status;
  EXPECT_TRUE(status.connect_refused());
  EXPECT_EQ(status.state(), ReplicaState::down);
  EXPECT_FALSE(status.connect_refused());
}

TEST(ReplicaStatus, GoesDownWhenAsManyAttemptsFailAsFallAllows) {
  ReplicaStatus status;
  EXPECT_FALSE(status.attempt_failed(3));
  EXPECT_FALSE(status.attempt_failed(3));
  EXPECT_TRUE(status.serves_bound());
  EXPECT_TRUE(status.attempt_failed(3));
  EXPECT_FALSE(status.serves_bound());
  EXPECT_FALSE(status.attempt_failed(3));
}

TEST(ReplicaStatus, ForgetsFailuresWhenARequestIsAnswered) {
  ReplicaStatus status;
  EXPECT_FALSE(status.attempt_failed(2));
  status.answered();
  EXPECT_FALSE(status.attempt_failed(2));
  EXPECT_TRUE(status.serves_bound());
}

TEST(ReplicaStatus, IsNotBroughtBackByAResponseButByAHealthCheck) {
  ReplicaStatus status;
  status.connect_refused();
  status.answered();
  EXPECT_EQ(status.state(), ReplicaState::down);
  status.set_health(Health::up);
  EXPECT_EQ(status.state(), ReplicaState::up);
}

TEST(ReplicaStatus, ForgetsFailuresWhenAHealthCheckSaysUp) {
  ReplicaStatus status;
  EXPECT_FALSE(status.attempt_failed(2));
  status.set_health(Health::up);
  EXPECT_FALSE(status.attempt_failed(2));
}

TEST(ReplicaStatus, IsBroughtToTheBrinkByBrokenRequestsAndPushedOverOnlyByAProbeOrConnect) {
  for (const uint32_t fall : {1u, 2u, 3u}) {
    ReplicaStatus status;
    for (int i = 0; i < 100; ++i)
      status.broke_off(fall);
    EXPECT_EQ(status.state(), ReplicaState::unknown);
    EXPECT_TRUE(status.attempt_failed(fall));
    EXPECT_EQ(status.state(), ReplicaState::down);
  }
}

TEST(ReplicaStatus, ForgetsBrokenRequestsWhenAHealthCheckSaysUp) {
  ReplicaStatus status;
  status.broke_off(2);
  status.set_health(Health::up);
  EXPECT_FALSE(status.attempt_failed(2));
  EXPECT_TRUE(status.serves_bound());
}

TEST(ReplicaStatus, IsSuspectedOnceUntilSomebodyHasLooked) {
  ReplicaStatus status;
  EXPECT_TRUE(status.suspect());
  EXPECT_FALSE(status.suspect());
  status.looked_at();
  EXPECT_TRUE(status.suspect());
}

TEST(ReplicaStatus, CountsHowOftenItStoppedBeingAHome) {
  ReplicaStatus status;
  status.set_health(Health::up);
  EXPECT_EQ(status.absences(), 0U);
  status.set_health(Health::down);
  status.set_health(Health::down);
  EXPECT_FALSE(status.connect_refused());
  EXPECT_EQ(status.absences(), 1U);
  status.set_health(Health::up);
  EXPECT_TRUE(status.connect_refused());
  EXPECT_EQ(status.absences(), 2U);
  status.set_draining(true);
  status.set_draining(true);
  status.set_draining(false);
  EXPECT_EQ(status.absences(), 3U);
}

TEST(ReplicaBoard, KeepsOneStatusForOneIdAndChannel) {
  const ManualClock clock;
  ReplicaBoard board(clock);
  const auto first = board.status_of("a:1");
  EXPECT_NE(first, board.status_of("b:1"));
  EXPECT_EQ(first, board.status_of("a:1"));
  EXPECT_NE(first, board.status_of("a:1", "https, verified")) << "other connections";
  EXPECT_EQ(board.status_of("a:1", "https, verified"), board.status_of("a:1", "https, verified"));
}

TEST(ReplicaBoard, ForgetsWhatNobodyHoldsOrCounts) {
  ManualClock clock;
  ReplicaBoard board(clock);
  const auto held = board.status_of("held");
  std::atomic<uint32_t>& in_flight = board.status_of("busy")->in_flight;
  ++in_flight;
  board.status_of("unused");
  clock.advance(ReplicaBoard::kept_unused);
  board.status_of("new");
  EXPECT_EQ(board.size(), 4u) << "it may be back any moment";
  clock.advance(1s);
  board.status_of("newer");
  EXPECT_EQ(board.size(), 4u) << "held, busy, new, newer";
  --in_flight;
  for (size_t i = 0; i < 1000; ++i) {
    clock.advance(1min);
    board.status_of(numbered("r", i));
  }
  EXPECT_LT(board.size(), 70u);
  EXPECT_EQ(board.status_of("held"), held);
}

TEST(ReplicaBoard, TellsExactlyOneOfManyThreadsThatAReplicaWentDown) {
  const ManualClock clock;
  ReplicaBoard board(clock);
  for (size_t round = 0; round < 20; ++round) {
    std::atomic<int> told{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        const auto status = board.status_of(numbered("r", round));
        if (status->attempt_failed(2)) ++told;
        status->in_flight.fetch_add(1, std::memory_order_relaxed);
      });
    }
    for (std::thread& thread : threads)
      thread.join();
    EXPECT_EQ(told, 1);
    EXPECT_EQ(board.status_of(numbered("r", round))->in_flight, 4u);
  }
}

}  // namespace
}  // namespace usher::routing
