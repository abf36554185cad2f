#include "routing/placement.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "routing/affinity_cookie.h"
#include "tests/unit/routing/fleet.h"

namespace usher::routing {
namespace {

using Counts = std::map<std::string, int>;

constexpr conf::Balance every_balance[] = {conf::Balance::least_connections,
                                           conf::Balance::round_robin, conf::Balance::random_two,
                                           conf::Balance::rendezvous};

Counts counts_of(Placement& placement, const Upstream& upstream, int picks) {
  Counts counts;
  for (int i = 0; i < picks; ++i)
    ++counts[placement.pick(upstream)->id];
  return counts;
}

TEST(Placement, SpreadsEvenlyOverEqualReplicasWhateverThePolicy) {
  for (const conf::Balance balance : every_balance) {
    const Fleet fleet(4, balance);
    Placement placement(1);
    for (const auto& [id, count] : counts_of(placement, fleet.upstream, 4000)) {
      EXPECT_NEAR(count, 1000, 120) << id << " by policy " << static_cast<int>(balance);
    }
  }
}

TEST(Placement, TakesOnlyReplicasThatTakeNewClients) {
  for (const conf::Balance balance : every_balance) {
    Fleet fleet(4, balance);
    Placement placement(2);
    fleet.set_up("r1", false);
    fleet.status("r2").set_draining(true);
    const Counts counts = counts_of(placement, fleet.upstream, 100);
    EXPECT_EQ(counts.count("r1") + counts.count("r2"), 0u);
    EXPECT_EQ(counts.size(), 2u);
  }
}

TEST(Placement, PrefersADrainingReplicaToNone) {
  for (const conf::Balance balance : every_balance) {
    Fleet fleet(3, balance);
    Placement placement(3);
    for (const char* id : {"r1", "r3"})
      fleet.set_up(id, false);
    fleet.status("r2").set_draining(true);
    EXPECT_EQ(placement.pick(fleet.upstream), fleet.replica("r2"));
    EXPECT_EQ(Placement::pick_by_key(fleet.upstream, "k"), fleet.replica("r2"));
  }
}

TEST(Placement, PicksNothingWhenAllAreDown) {
  for (const conf::Balance balance : every_balance) {
    Fleet fleet(2, balance);
    Placement placement(4);
    fleet.set_up("r1", false);
    fleet.set_up("r2", false);
    EXPECT_EQ(placement.pick(fleet.upstream), nullptr);
    EXPECT_EQ(Placement::pick_by_key(fleet.upstream, "k"), nullptr);
    EXPECT_EQ(placement.pick(Fleet(0, balance).upstream), nullptr);
    EXPECT_EQ(Placement::pick_by_key(Fleet(0, balance).upstream, "k"), nullptr);
  }
}

TEST(Placement, AvoidsAReplicaUnlessItIsTheLastOneLeft) {
  for (const conf::Balance balance : every_balance) {
    Fleet fleet(2, balance);
    Placement placement(5);
    const Replica* first = fleet.replica("r1");
    const Replica* second = fleet.replica("r2");
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(placement.pick(fleet.upstream, first), second);
      EXPECT_EQ(Placement::pick_by_key(fleet.upstream, std::to_string(i), first), second);
    }
    fleet.status("r2").set_draining(true);
    EXPECT_EQ(placement.pick(fleet.upstream, first), second);
    fleet.set_up("r2", false);
    EXPECT_EQ(placement.pick(fleet.upstream, first), first);
    EXPECT_EQ(Placement::pick_by_key(fleet.upstream, "k", first), first);
    fleet.set_up("r1", false);
    EXPECT_EQ(placement.pick(fleet.upstream, first), nullptr);
  }
}

TEST(Placement, ByLeastConnectionsCountsRequestsAndWebsockets) {
  Fleet fleet(3);
  Placement placement(6);
  fleet.status("r1").in_flight = 3;
  fleet.status("r2").websockets = 4;
  fleet.status("r3").in_flight = 1;
  fleet.status("r3").websockets = 1;
  EXPECT_EQ(placement.pick(fleet.upstream), fleet.replica("r3"));
  fleet.status("r3").websockets = 5;
  EXPECT_EQ(placement.pick(fleet.upstream), fleet.replica("r1"));
}

TEST(Placement, ByRoundRobinGoesInTurn) {
  const Fleet fleet(3, conf::Balance::round_robin);
  Placement placement(7);
  std::string turns;
  for (int i = 0; i < 6; ++i)
    turns += placement.pick(fleet.upstream)->id;
  EXPECT_EQ(turns.substr(0, 6), turns.substr(6));
  EXPECT_EQ(std::set<char>(turns.begin(), turns.end()).size(), 4u);  // r, 1, 2, 3
}

TEST(Placement, ByRandomTwoNeverTakesTheMostLoadedOfThree) {
  Fleet fleet(3, conf::Balance::random_two);
  Placement placement(8);
  fleet.status("r2").in_flight = 10;
  EXPECT_EQ(counts_of(placement, fleet.upstream, 300).count("r2"), 0u);
}

TEST(Placement, LetsWorkersWithDifferentSeedsBeginDifferently) {
  const Fleet fleet(3);
  std::set<std::string> first;
  for (uint32_t seed = 1; seed <= 30; ++seed) {
    Placement placement(seed * 2'654'435'761u);
    first.insert(placement.pick(fleet.upstream)->id);
  }
  EXPECT_EQ(first.size(), 3u);
}

TEST(Placement, ByKeyIsTheSameWhateverTheOrderOfTheReplicas) {
  Fleet fleet(5);
  Fleet turned(0);
  for (const char* id : {"r4", "r2", "r5", "r1", "r3"})
    turned.add(id);
  for (int i = 0; i < 200; ++i) {
    const std::string key = std::to_string(i);
    EXPECT_EQ(Placement::pick_by_key(fleet.upstream, key)->id,
              Placement::pick_by_key(turned.upstream, key)->id);
  }
}

// Nodes of different versions must agree: this list never changes.
TEST(Placement, ByKeyIsTheSameOnEveryMachineAndInEveryVersion) {
  Fleet fleet(0);
  for (const char* id : {"10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"})
    fleet.add(id);
  std::string picks;
  for (const char* key : {"", "a", "b", "c", "AAAAAAAAAAAAAAAAAAAAAA", "lv_VI97HAXpY6yYWAAAC"}) {
    picks += Placement::pick_by_key(fleet.upstream, key)->id.substr(7, 1);
  }
  EXPECT_EQ(picks, "122232");
}

TEST(Placement, ByKeyMovesOnlyTheClientsOfALostReplicaAndSpreadsThemEvenly) {
  Fleet fleet(4);
  std::map<std::string, std::string> homes;
  for (int i = 0; i < 12'000; ++i) {
    const std::string client = AffinityCookies::new_client_id();
    homes[client] = Placement::pick_by_key(fleet.upstream, client)->id;
  }
  fleet.set_up("r2", false);
  Counts moved;
  for (const auto& [client, home] : homes) {
    const std::string now = Placement::pick_by_key(fleet.upstream, client)->id;
    if (home != "r2") {
      ASSERT_EQ(now, home);
    } else {
      ++moved[now];
    }
  }
  int most = 0;
  int all = 0;
  for (const auto& [id, count] : moved) {
    most = std::max(most, count);
    all += count;
  }
  EXPECT_NEAR(all, 3000, 250);
  EXPECT_EQ(moved.size(), 3u);
  EXPECT_LE(most, 1.25 * all / 3);
  RecordProperty("largest_share_percent_of_mean", 300 * most / all);
}

TEST(Placement, ByKeyDoesNotDrainEqualKeysIntoOneReplicaWhenIdsAreAlike) {
  Fleet fleet(0);
  for (int i = 0; i < 8; ++i)
    fleet.add(numbered("172.18.0.", 10 + i) + ":8080");
  Counts counts;
  for (int i = 0; i < 8000; ++i) {
    ++counts[Placement::pick_by_key(fleet.upstream, numbered("client-", i))->id];
  }
  EXPECT_EQ(counts.size(), 8u);
  for (const auto& [id, count] : counts)
    EXPECT_NEAR(count, 1000, 150) << id;
}

}  // namespace
}  // namespace usher::routing
