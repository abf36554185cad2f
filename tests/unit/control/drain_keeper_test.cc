#include "control/drain_keeper.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tests/unit/routing/fleet.h"

namespace usher::control {
namespace {

using namespace std::chrono_literals;
using routing::Binding;
namespace fs = std::filesystem;

WallTime at(int64_t ms) { return WallTime(Duration(ms)); }

TEST(DrainOrder, IsKeptAsABindingWhoseEpochIsItsTime) {
  const std::pair<DrainOrder, Binding> rows[] = {
      {{.drain = true, .given = at(1000), .until = at(61'000)}, {"drain:61000", 1000}},
      {{.drain = true, .given = at(1000), .until = {}}, {"drain:0", 1000}},
      {{.drain = false, .given = at(2000), .until = {}}, {"serve", 2000}},
  };
  for (const auto& [order, binding] : rows) {
    EXPECT_EQ(to_binding(order), binding);
    EXPECT_EQ(to_order(binding), order);
  }
}

TEST(DrainOrder, IsNoneForAnythingElse) {
  for (const char* text : {"", "drain", "drain:", "drain:x", "drain:-1", "drain:1:2", "serve:1",
                           "10.0.0.1:8080", "drain:9999999999999999"}) {
    EXPECT_FALSE(to_order({text, 1000})) << text;
  }
  EXPECT_FALSE(to_order({"serve", 9'999'999'999'999'999}));
}

// One node's keeper with its own state directory, on a store that it may share with others.
class KeeperNode final : DrainKeeper::Listener {
 public:
  KeeperNode(const fs::path& folder, const Clock& clock, routing::AffinityStore* store)
      : fleet(3), state(StateDirectory::find(folder)), keeper(loop, clock, state, log, *this) {
    keeper.start(store);
  }
  routing::ReplicaState state_of(const char* id) { return fleet.status(id).state(); }

  void on_drains_settled() override { ++settled; }
  void on_drain_ends(const std::shared_ptr<routing::ReplicaStatus>&, Duration) override {}

  net::Loop loop;
  Log log{-1, LogLevel::error};
  routing::Fleet fleet;
  StateDirectory state;
  DrainKeeper keeper;
  int settled = 0;
};

class ADrainKeeper : public ::testing::Test {
 protected:
  ~ADrainKeeper() override { fs::remove_all(folder_); }

  fs::path folder_ = fs::temp_directory_path() / ("usher-drains-" + std::to_string(::getpid()));
  ManualClock clock_;
  routing::MemoryTable table_{clock_};
  routing::SlowStore store_{table_};
};

TEST_F(ADrainKeeper, FollowsAnOrderAtOnce) {
  KeeperNode node(folder_, clock_, nullptr);
  node.keeper.watch({node.fleet.upstream});
  EXPECT_TRUE(node.keeper.settled());
  node.keeper.drain("r1", 10min);
  EXPECT_EQ(node.state_of("r1"), routing::ReplicaState::draining);
  EXPECT_EQ(node.fleet.status("r1").drain_until(), clock_.now() + 10min);
  node.keeper.drain("r1", 0ms);
  EXPECT_EQ(node.fleet.status("r1").drain_until(), MonotonicTime::max()) << "no limit";
  node.keeper.undrain("r1");
  EXPECT_EQ(node.state_of("r1"), routing::ReplicaState::up);
}

TEST_F(ADrainKeeper, KeepsOrdersOverARestart) {
  {
    KeeperNode node(folder_, clock_, nullptr);
    node.keeper.watch({node.fleet.upstream});
    node.keeper.drain("r1", 10min);
    node.keeper.drain("r2", 10min);
    node.keeper.undrain("r2");
  }
  clock_.advance(4min);
  KeeperNode node(folder_, clock_, nullptr);
  node.keeper.watch({node.fleet.upstream});
  EXPECT_EQ(node.state_of("r1"), routing::ReplicaState::draining);
  EXPECT_EQ(node.fleet.status("r1").drain_until(), clock_.now() + 6min);
  EXPECT_EQ(node.state_of("r2"), routing::ReplicaState::up);
}

TEST_F(ADrainKeeper, LearnsFromTheStoreBeforeItIsSettled) {
  table_.claim("drain:r2", to_binding({.drain = true, .given = clock_.wall(), .until = {}}), 1h);
  KeeperNode node(folder_, clock_, &store_);
  EXPECT_FALSE(node.keeper.settled()) << "it does not know the replicas yet";
  node.keeper.watch({node.fleet.upstream});
  EXPECT_FALSE(node.keeper.settled());
  store_.answer();
  EXPECT_TRUE(node.keeper.settled());
  EXPECT_EQ(node.settled, 1);
  EXPECT_EQ(node.state_of("r2"), routing::ReplicaState::draining);
}

TEST_F(ADrainKeeper, IsNotSettledByAStoreThatFailsAndKeepsToWhatItKnows) {
  {
    KeeperNode node(folder_, clock_, nullptr);
    node.keeper.watch({node.fleet.upstream});
    node.keeper.drain("r1", 0ms);
  }
  store_.failing = true;
  KeeperNode node(folder_, clock_, &store_);
  node.keeper.watch({node.fleet.upstream});
  store_.answer();
  EXPECT_FALSE(node.keeper.settled());
  EXPECT_EQ(node.state_of("r1"), routing::ReplicaState::draining);
}

TEST_F(ADrainKeeper, TellsTheStoreAndAnOlderOrderThereLoses) {
  table_.claim("drain:r1", to_binding({.drain = false, .given = clock_.wall(), .until = {}}), 1h);
  clock_.advance(1s);
  KeeperNode node(folder_, clock_, &store_);
  node.keeper.watch({node.fleet.upstream});
  store_.answer();
  node.keeper.drain("r1", 0ms);
  store_.answer();
  EXPECT_EQ(table_.find("drain:r1")->replica, "drain:0");
  EXPECT_EQ(node.state_of("r1"), routing::ReplicaState::draining);
}

TEST_F(ADrainKeeper, FollowsALaterOrderOfAnotherNode) {
  KeeperNode node(folder_, clock_, &store_);
  node.keeper.watch({node.fleet.upstream});
  store_.answer();
  node.keeper.drain("r1", 0ms);
  clock_.advance(1s);
  // The other node's order reaches the store before this one's.
  table_.claim("drain:r1", to_binding({.drain = false, .given = clock_.wall(), .until = {}}), 1h);
  store_.answer();
  EXPECT_EQ(node.state_of("r1"), routing::ReplicaState::draining) << "what held when it was told";
  node.keeper.drain("r2", 0ms);
  store_.answer();
  KeeperNode other(folder_ / "other", clock_, &store_);
  other.keeper.watch({other.fleet.upstream});
  store_.answer();
  EXPECT_EQ(other.state_of("r1"), routing::ReplicaState::up);
  EXPECT_EQ(other.state_of("r2"), routing::ReplicaState::draining);
}

TEST_F(ADrainKeeper, TheLaterOfTwoOrdersWithinAMillisecondHolds) {
  KeeperNode node(folder_, clock_, &store_);
  node.keeper.watch({node.fleet.upstream});
  store_.answer();
  node.keeper.drain("r1", 0ms);
  store_.answer();
  node.keeper.undrain("r1");
  store_.answer();
  EXPECT_EQ(table_.find("drain:r1")->replica, "serve");
  EXPECT_EQ(node.state_of("r1"), routing::ReplicaState::up);
}

TEST_F(ADrainKeeper, AReplicaThatWasGoneAndIsBackIsAnotherOne) {
  KeeperNode node(folder_, clock_, nullptr);
  node.keeper.watch({node.fleet.upstream});
  node.keeper.drain("r1", 0ms);
  routing::Fleet without(0);
  node.keeper.watch({without.upstream});
  node.keeper.watch({node.fleet.upstream});
  EXPECT_EQ(node.state_of("r1"), routing::ReplicaState::up);
}

TEST_F(ADrainKeeper, AReplicaThatIsFoundLateAfterAStartStillDrains) {
  {
    KeeperNode node(folder_, clock_, nullptr);
    node.keeper.watch({node.fleet.upstream});
    node.keeper.drain("r1", 0ms);
  }
  KeeperNode node(folder_, clock_, nullptr);
  routing::Fleet without(0);
  node.keeper.watch({without.upstream});
  node.keeper.watch({node.fleet.upstream});
  EXPECT_EQ(node.state_of("r1"), routing::ReplicaState::draining);
}

}  // namespace
}  // namespace usher::control
