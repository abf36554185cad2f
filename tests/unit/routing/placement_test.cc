#include "routing/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "routing/affinity_cookie.h"
#include "tests/unit/routing/fleet.h"

namespace usher::routing {
namespace {

const ManualClock clock;

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
    Placement placement(1, clock);
    for (const auto& [id, count] : counts_of(placement, fleet.upstream, 4000)) {
      EXPECT_NEAR(count, 1000, 120) << id << " by policy " << static_cast<int>(balance);
    }
  }
}

TEST(Placement, TakesOnlyReplicasThatTakeNewClients) {
  for (const conf::Balance balance : every_balance) {
    Fleet fleet(4, balance);
    Placement placement(2, clock);
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
    Placement placement(3, clock);
    for (const char* id : {"r1", "r3"})
      fleet.set_up(id, false);
    fleet.status("r2").set_draining(true);
    EXPECT_EQ(placement.pick(fleet.upstream), fleet.replica("r2"));
    EXPECT_EQ(Placement::pick_by_key(fleet.upstream, "k"), fleet.replica("r2"));
  }
}

TEST(Placement, TakesABackupOnlyWhereNoOtherTakesNewClients) {
  for (const conf::Balance balance : every_balance) {
    Fleet fleet(3, balance);
    Placement placement(6, clock);
    fleet.upstream.replicas[2].backup = true;
    const Replica* backup = fleet.replica("r3");
    const auto picks = [&](const Replica* avoid = nullptr) {
      std::set<const Replica*> picked;
      for (int i = 0; i < 50; ++i) {
        picked.insert(placement.pick(fleet.upstream, avoid));
        picked.insert(Placement::pick_by_key(fleet.upstream, std::to_string(i), avoid));
      }
      return picked;
    };
    EXPECT_FALSE(picks().contains(backup));
    fleet.set_up("r1", false);
    EXPECT_FALSE(picks().contains(backup));
    EXPECT_EQ(picks(fleet.replica("r2")), std::set{backup});
    fleet.status("r2").set_draining(true);
    EXPECT_EQ(picks(), std::set{backup});
    fleet.set_up("r3", false);
    EXPECT_EQ(picks(), std::set{fleet.replica("r2")});
  }
}

TEST(Placement, AReplicaThatIsNotReadyGetsNobodyWhileAnotherOneIs) {
  for (const conf::Balance balance : every_balance) {
    Fleet fleet(3, balance);
    Placement placement(8, clock);
    const auto picks = [&] {
      std::set<const Replica*> picked;
      for (int i = 0; i < 50; ++i) {
        picked.insert(placement.pick(fleet.upstream));
        picked.insert(Placement::pick_by_key(fleet.upstream, std::to_string(i)));
      }
      return picked;
    };
    const Replica *first = fleet.replica("r1"), *second = fleet.replica("r2"),
                  *third = fleet.replica("r3");
    fleet.status("r1").set_health(Health::unready);
    EXPECT_EQ(picks(), (std::set{second, third}));
    fleet.status("r2").set_draining(true);
    EXPECT_EQ(picks(), std::set{third});
    fleet.set_up("r3", false);
    EXPECT_EQ(picks(), std::set{first}) << "better than one that drains";
    fleet.status("r1").set_health(Health::starting);
    EXPECT_EQ(picks(), std::set{second}) << "one that starts is for nobody";
    fleet.status("r2").set_health(Health::ill);
    EXPECT_EQ(picks(), std::set<const Replica*>{nullptr});
  }
}

TEST(Placement, InAPanicReadinessIsNoReason) {
  for (const conf::Balance balance : every_balance) {
    Fleet fleet(4, balance);
    Placement placement(9, clock);
    fleet.status("r1").set_health(Health::unready);
    fleet.status("r2").set_health(Health::ill);
    fleet.status("r3").set_health(Health::starting);
    for (const char* id : {"r1", "r2", "r3", "r4"})
      fleet.status(id).set_panic(true);
    const Counts counts = counts_of(placement, fleet.upstream, 3000);
    EXPECT_EQ(counts.size(), 3U);
    for (const auto& [id, count] : counts) {
      EXPECT_NE(id, "r3");
      EXPECT_NEAR(count, 1000, 120) << id;
    }
  }
}

TEST(Placement, ANewerBackupDrawsNobody) {
  Fleet fleet(2, conf::Balance::round_robin);
  Placement placement(7, clock);
  fleet.upstream.replicas[1].backup = true;
  fleet.upstream.replicas[1].version = "0.12.0";
  fleet.upstream.replicas[0].version = "0.11.0";
  fleet.upstream.rank_versions(true);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(placement.pick(fleet.upstream), fleet.replica("r1"));
}

TEST(Placement, PicksNothingWhenAllAreDown) {
  for (const conf::Balance balance : every_balance) {
    Fleet fleet(2, balance);
    Placement placement(4, clock);
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
    Placement placement(5, clock);
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
  Placement placement(6, clock);
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
  Placement placement(7, clock);
  std::string turns;
  for (int i = 0; i < 6; ++i)
    turns += placement.pick(fleet.upstream)->id;
  EXPECT_EQ(turns.substr(0, 6), turns.substr(6));
  EXPECT_EQ(std::set<char>(turns.begin(), turns.end()).size(), 4u);  // r, 1, 2, 3
}

TEST(Placement, ByRandomTwoNeverTakesTheMostLoadedOfThree) {
  Fleet fleet(3, conf::Balance::random_two);
  Placement placement(8, clock);
  fleet.status("r2").in_flight = 10;
  EXPECT_EQ(counts_of(placement, fleet.upstream, 300).count("r2"), 0u);
}

TEST(Placement, LetsWorkersWithDifferentSeedsBeginDifferently) {
  const Fleet fleet(3);
  std::set<std::string> first;
  for (uint32_t seed = 1; seed <= 30; ++seed) {
    Placement placement(seed * 2'654'435'761u, clock);
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

struct WeightedFleet final : Fleet {
  explicit WeightedFleet(conf::Balance balance) : Fleet(0, balance) {
    add("r1", 1);
    add("r2", 2);
    add("r3", 5);
  }
};

TEST(Placement, GivesEachItsWeightWhateverThePolicy) {
  for (const conf::Balance balance : every_balance) {
    if (balance == conf::Balance::random_two) continue;  // its second choice flattens the shares
    const WeightedFleet fleet(balance);
    Placement placement(10, clock);
    Counts counts = counts_of(placement, fleet.upstream, 8000);
    EXPECT_NEAR(counts["r1"], 1000, 120) << static_cast<int>(balance);
    EXPECT_NEAR(counts["r2"], 2000, 160) << static_cast<int>(balance);
    EXPECT_NEAR(counts["r3"], 5000, 200) << static_cast<int>(balance);
  }
}

// With the load that its picks make: in the end every replica has its share.
TEST(Placement, LevelsTheLoadByWeight) {
  for (const conf::Balance balance :
       {conf::Balance::least_connections, conf::Balance::random_two}) {
    WeightedFleet fleet(balance);
    Placement placement(11, clock);
    for (int i = 0; i < 8000; ++i)
      ++fleet.status(placement.pick(fleet.upstream)->id).websockets;
    EXPECT_NEAR(fleet.status("r1").websockets, 1000, 150) << static_cast<int>(balance);
    EXPECT_NEAR(fleet.status("r2").websockets, 2000, 150) << static_cast<int>(balance);
    EXPECT_NEAR(fleet.status("r3").websockets, 5000, 150) << static_cast<int>(balance);
  }
}

TEST(Placement, TakesTurnsSmoothlyByWeight) {
  Fleet fleet(0, conf::Balance::round_robin);
  fleet.add("r1", 1);
  fleet.add("r2", 2);
  fleet.add("r3", 1);
  Placement placement(12, clock);
  std::string turns;
  for (int i = 0; i < 40; ++i)
    turns += placement.pick(fleet.upstream)->id.substr(1);
  EXPECT_EQ(turns.find("22"), std::string::npos) << turns;
  EXPECT_EQ(std::count(turns.begin(), turns.end(), '2'), 20);
}

TEST(Placement, ByKeySpreadsByWeightAndMovesOnlyTheKeysOfALostReplica) {
  WeightedFleet fleet(conf::Balance::least_connections);
  std::map<std::string, std::string> homes;
  Counts counts;
  for (int i = 0; i < 16'000; ++i) {
    const std::string client = numbered("client-", i);
    ++counts[homes[client] = Placement::pick_by_key(fleet.upstream, client)->id];
  }
  EXPECT_NEAR(counts["r1"], 2000, 150);
  EXPECT_NEAR(counts["r2"], 4000, 200);
  EXPECT_NEAR(counts["r3"], 10'000, 250);
  fleet.set_up("r3", false);
  Counts moved;
  for (const auto& [client, home] : homes) {
    const std::string now = Placement::pick_by_key(fleet.upstream, client)->id;
    home == "r3" ? ++moved[now] : ++moved[now == home ? "stayed" : "strayed"];
  }
  EXPECT_EQ(moved.count("strayed"), 0u);
  EXPECT_NEAR(moved["r2"], 2.0 * moved["r1"], 400);
}

TEST(Placement, LetsANewcomerInSlowly) {
  for (const conf::Balance balance : every_balance) {
    Fleet fleet(2, balance);
    fleet.upstream.slow_start = std::chrono::seconds(20);
    ManualClock time;
    fleet.status("r2").begin_slow_start(time.now());
    Placement placement(13, time);
    const auto share = [&] { return counts_of(placement, fleet.upstream, 2200)["r2"]; };
    if (balance != conf::Balance::random_two) {
      EXPECT_NEAR(share(), 200, 60) << static_cast<int>(balance);
      time.advance(std::chrono::seconds(10));
      EXPECT_NEAR(share(), 733, 90) << static_cast<int>(balance);
    }
    time.advance(std::chrono::seconds(20));
    EXPECT_NEAR(share(), 1100, 120) << static_cast<int>(balance);
  }
}

TEST(Placement, ByLeastConnectionsDoesNotFloodANewcomer) {
  Fleet fleet(3);
  fleet.upstream.slow_start = std::chrono::seconds(20);
  ManualClock time;
  fleet.status("r1").websockets = 500;
  fleet.status("r2").websockets = 500;
  fleet.status("r3").begin_slow_start(time.now());
  Placement placement(14, time);
  for (int i = 0; i < 300; ++i)
    ++fleet.status(placement.pick(fleet.upstream)->id).websockets;
  EXPECT_NEAR(fleet.status("r3").websockets, 60, 10) << "a tenth of what the others have";
}

TEST(Placement, PrefersReplicasThatHavePassedAProbe) {
  for (const conf::Balance balance : every_balance) {
    Fleet fleet(2, balance);
    fleet.upstream.replicas.push_back({"fresh", {}, fleet.board.status_of("fresh")});
    Placement placement(15, clock);
    EXPECT_EQ(counts_of(placement, fleet.upstream, 100).count("fresh"), 0u);
    fleet.set_up("r1", false);
    fleet.set_up("r2", false);
    EXPECT_EQ(placement.pick(fleet.upstream)->id, "fresh") << "better than none";
  }
}

TEST(Placement, GoesPastAFullReplicaButRatherWaitsThereThanAtADrainingOne) {
  for (const conf::Balance balance : every_balance) {
    Fleet fleet(3, balance);
    fleet.upstream.max_connections = 1;
    Placement placement(16, clock);
    ASSERT_TRUE(fleet.status("r1").gate.enter(1));
    fleet.status("r3").set_draining(true);
    for (int i = 0; i < 20; ++i)
      EXPECT_EQ(placement.pick(fleet.upstream)->id, "r2");
    ASSERT_TRUE(fleet.status("r2").gate.enter(1));
    for (int i = 0; i < 20; ++i)
      EXPECT_NE(placement.pick(fleet.upstream)->id, "r3");
  }
}

// r1 and r2 are old, r3 and r4 new, r5 says nothing.
struct MixedFleet final : Fleet {
  explicit MixedFleet(conf::Balance balance = conf::Balance::least_connections)
      : Fleet(5, balance) {
    const char* versions[] = {"0.9.9", "0.9.9", "0.11.0", "0.11.0", ""};
    for (size_t i = 0; i < 5; ++i)
      upstream.replicas[i].version = versions[i];
    upstream.rank_versions(true);
  }
};

TEST(Placement, SendsNewClientsToTheNewestVersionOrToOneThatMightBe) {
  for (const conf::Balance balance : every_balance) {
    MixedFleet fleet(balance);
    Placement placement(17, clock);
    Counts counts = counts_of(placement, fleet.upstream, 600);
    EXPECT_EQ(counts.size(), 3u);
    EXPECT_EQ(counts.count("r1") + counts.count("r2"), 0u);
    for (const char* id : {"r3", "r4", "r5"})
      fleet.status(id).set_draining(true);
    counts = counts_of(placement, fleet.upstream, 100);
    EXPECT_EQ(counts.count("r1") + counts.count("r2"), 2u) << "what is left";
    EXPECT_EQ(counts.size(), 2u);
  }
}

TEST(Placement, RatherWaitsForTheNewestVersionThanTakesAnOldOne) {
  MixedFleet fleet;
  fleet.upstream.max_connections = 1;
  for (const char* id : {"r3", "r4", "r5"})
    ASSERT_TRUE(fleet.status(id).gate.enter(1));
  Placement placement(18, clock);
  EXPECT_EQ(counts_of(placement, fleet.upstream, 100).count("r1"), 0u);
}

TEST(Placement, HeedsNoVersionsWhenAnyWillDo) {
  MixedFleet fleet;
  fleet.upstream.rank_versions(false);
  Placement placement(19, clock);
  EXPECT_EQ(counts_of(placement, fleet.upstream, 600).size(), 5u);
}

TEST(Placement, ByKeyGoesToTheVersionOfTheHomeThatWasLostWhileThereIsOne) {
  MixedFleet fleet;
  fleet.set_up("r1", false);
  const Replica* home = fleet.replica("r1");
  for (int i = 0; i < 50; ++i) {
    const std::string key = numbered("client-", i);
    EXPECT_EQ(Placement::pick_by_key(fleet.upstream, key, nullptr, home)->id, "r2");
    EXPECT_NE(Placement::pick_by_key(fleet.upstream, key)->id, "r2");
  }
  fleet.set_up("r2", false);
  EXPECT_NE(Placement::pick_by_key(fleet.upstream, "k", nullptr, home), nullptr);
}

}  // namespace
}  // namespace usher::routing
