#include "routing/session_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/routing/node.h"

namespace usher::routing {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* client = "AAAAAAAAAAAAAAAAAAAAAA";
constexpr const char* client_key = "client:AAAAAAAAAAAAAAAAAAAAAA";
constexpr const char* asked_client = "find client:AAAAAAAAAAAAAAAAAAAAAA";
constexpr const char* claimed_r2 = "claim client:AAAAAAAAAAAAAAAAAAAAAA r2 2";

SessionClaim sid_only(std::string sid) { return {.sid = std::move(sid), .cookie = {}}; }

class ADirectory : public testing::Test {
 protected:
  std::string cookie(const std::string& replica, uint64_t epoch) const {
    return node_.cookies.seal(client, {replica, epoch});
  }
  SessionClaim claim(const std::string& replica, uint64_t epoch, std::string sid = {}) const {
    return {.sid = std::move(sid), .cookie = node_.cookies.open(cookie(replica, epoch))};
  }
  void stored(const std::string& key, const Binding& binding) {
    (void)table_.claim(key, binding, 1h);
  }

  ManualClock clock_;
  MemoryTable table_{clock_};
  Node node_{table_, clock_, 3};
  Fleet& fleet_ = node_.fleet;
};

// --- Clients without anything
// ----------------------------------------------------------------------

TEST_F(ADirectory, PlacesANewClientAtOnceAndLeavesNothingInTheStore) {
  std::set<std::string> clients;
  for (int i = 0; i < 1000; ++i) {
    node_.ask({});
    ASSERT_TRUE(node_.answered_at_once);
    const Home& home = *node_.home;
    ASSERT_NE(home.replica, nullptr);
    EXPECT_EQ(home.outcome, AffinityOutcome::fresh);
    EXPECT_TRUE(home.set_cookie);
    EXPECT_EQ(home.binding, (Binding{home.replica->id, 1}));
    EXPECT_TRUE(clients.insert(home.client).second);
  }
  EXPECT_THAT(node_.store.log, IsEmpty());
  EXPECT_EQ(table_.size(), 0u);
  EXPECT_EQ(node_.directory.counters().store_calls, 0u);
}

TEST_F(ADirectory, GivesANewClientACookieThatBringsItBack) {
  node_.ask({});
  const Home first = *node_.home;
  const Home second = node_.get(node_.by_cookie(node_.seal(first)));
  EXPECT_EQ(second.replica, first.replica);
  EXPECT_EQ(second.client, first.client);
  EXPECT_EQ(second.outcome, AffinityOutcome::cookie);
  EXPECT_FALSE(second.set_cookie);
}

TEST_F(ADirectory, PlacesANewClientElsewhereWhenAReplicaHasFailedIt) {
  for (int i = 0; i < 50; ++i) {
    node_.ask({}, fleet_.replica("r1"));
    EXPECT_NE(node_.home->replica->id, "r1");
  }
}

TEST_F(ADirectory, HasNoHomeToGiveWhenAllReplicasAreDown) {
  for (const char* id : {"r1", "r2", "r3"})
    fleet_.set_up(id, false);
  for (const SessionClaim& asked :
       {SessionClaim{}, sid_only("s"), claim("r1", 1), claim("r1", 1, "s")}) {
    const Home home = node_.get(asked);
    EXPECT_EQ(home.replica, nullptr);
    EXPECT_EQ(home.outcome, AffinityOutcome::none);
    EXPECT_FALSE(home.set_cookie);
  }
  EXPECT_EQ(table_.size(), 0u);
}

// --- Clients with a cookie
// -------------------------------------------------------------------------

TEST_F(ADirectory, AsksTheStoreOncePerClientAndMinuteAndLeavesNothingThere) {
  for (int second = 0; second < 60; ++second) {
    EXPECT_EQ(node_.get(claim("r2", 1)).replica, fleet_.replica("r2"));
    EXPECT_EQ(node_.answered_at_once, second > 0);
    clock_.advance(1s);
  }
  EXPECT_THAT(node_.store.log, ElementsAre(asked_client));
  EXPECT_EQ(node_.directory.counters().cache_hits, 59u);
  EXPECT_EQ(node_.get(claim("r2", 1)).replica, fleet_.replica("r2"));
  EXPECT_FALSE(node_.answered_at_once);
  EXPECT_THAT(node_.store.log, ElementsAre(asked_client, asked_client)) << "the minute is over";
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(ADirectory, ProlongsTheRecordOfAClientThatHasMoved) {
  for (int second = 0; second <= 60; ++second) {
    EXPECT_EQ(node_.get(claim("r2", 2)).replica, fleet_.replica("r2"));
    EXPECT_EQ(node_.answered_at_once, second % 60 > 0);
    clock_.advance(1s);
  }
  EXPECT_THAT(node_.store.log, ElementsAre(claimed_r2, claimed_r2));
  EXPECT_EQ(node_.store.last_ttl, 24h);
}

TEST_F(ADirectory, KeepsARecordForAsLongAsTheSettingsSay) {
  conf::AffinitySettings settings;
  settings.idle = 10min;
  Placement placement(1, clock_);
  SessionDirectory directory(node_.store, clock_, settings, placement, node_.live, node_.node_sids,
                             node_.node_bindings, node_.unknown);
  const Pending pending =
      directory.find(claim("r2", 2), fleet_.upstream, node_.cookies, nullptr, [](Home) {});
  EXPECT_EQ(node_.store.last_ttl, 10min);
}

// The record of a client that has moved is over, or the store has lost it.
TEST_F(ADirectory, StoresAMovedClientAgainAndLeavesOneThatHasNotMovedAlone) {
  (void)node_.get(claim("r2", 3));
  (void)node_.get(node_.by_cookie(node_.cookies.seal("QQQQQQQQQQQQQQQQQQQQQQ", {"r1", 1})));
  clock_.advance(25h);
  ASSERT_EQ(table_.find(client_key), std::nullopt);
  Node other(table_, clock_, 3);
  EXPECT_EQ(other.get(claim("r2", 3)).replica, other.fleet.replica("r2"));
  EXPECT_EQ(table_.find(client_key), (Binding{"r2", 3}));
  EXPECT_EQ(table_.size(), 1u);
}

TEST_F(ADirectory, TellsAStoreThatHasLostAMoveOfItThoughTheCookieIsOld) {
  fleet_.set_up("r2", false);
  const Home moved = node_.get(claim("r2", 1));
  clock_.advance(25h);
  fleet_.set_up("r2", true);
  const Home again = node_.get(claim("r2", 1));
  EXPECT_EQ(again.binding, moved.binding);
  EXPECT_EQ(table_.find(client_key), moved.binding);
}

// The store said "nothing" just before another node moved the client; the announcement came first.
TEST_F(ADirectory, LetsAnAnnouncementThatOvertakesAnAnswerStand) {
  for (const bool known_before : {false, true}) {
    SCOPED_TRACE(known_before);
    const std::string id = known_before ? "QQQQQQQQQQQQQQQQQQQQQQ" : client;
    const SessionClaim by = node_.by_cookie(node_.cookies.seal(id, {"r2", 1}));
    if (known_before) (void)node_.get(by);
    clock_.advance(2min);
    node_.ask(by);
    ASSERT_EQ(node_.store.waiting(), 1u);
    const Moved moved{"client:" + id, {"r3", 2}};
    stored(moved.key, moved.binding);
    node_.node_bindings.learn(moved);
    node_.directory.learn({moved});
    node_.store.answer();
    EXPECT_EQ(node_.home->replica, fleet_.replica("r3"));
    EXPECT_TRUE(node_.home->set_cookie);
    EXPECT_EQ(node_.node_bindings.last_known(moved.key, 1), moved.binding);
  }
}

// A node of an earlier version has stored what the cookie says.
TEST_F(ADirectory, TakesARecordOfAClientThatHasNotMovedForWhatItIs) {
  stored(client_key, {"r2", 1});
  const Home home = node_.get(claim("r2", 1));
  EXPECT_EQ(home.replica, fleet_.replica("r2"));
  EXPECT_FALSE(home.set_cookie);
  fleet_.set_up("r2", false);
  const Home moved = node_.get(claim("r2", 1));
  EXPECT_EQ(moved.binding.epoch, 2u);
  EXPECT_EQ(table_.find(client_key), moved.binding);
}

TEST_F(ADirectory, KeepsAClientAtAHomeThatIsNotReady) {
  node_.get(claim("r2", 1));
  const Pending learning = node_.directory.learn_sid("s", {"r2", 1}, {}, [] {});
  for (const Health health : {Health::unready, Health::ill}) {
    fleet_.status("r2").set_health(health);
    fleet_.status("r2").set_panic(health == Health::ill);
    for (const SessionClaim& asked : {claim("r2", 1), claim("r2", 1, "s"), sid_only("s")}) {
      const Home home = node_.get(asked);
      EXPECT_EQ(home.replica, fleet_.replica("r2"));
      EXPECT_NE(home.outcome, AffinityOutcome::rebound);
    }
  }
  fleet_.status("r2").set_health(Health::ill);
  fleet_.status("r2").set_panic(false);
  EXPECT_EQ(node_.get(claim("r2", 1)).outcome, AffinityOutcome::rebound) << "it does not live";
}

TEST_F(ADirectory, KeepsAClientAtADrainingHomeWhileItHasAWebsocketThere) {
  fleet_.status("r2").set_draining(true);
  node_.live.opened(client, "r2");
  const Home stays = node_.get(claim("r2", 1));
  EXPECT_EQ(stays.replica, fleet_.replica("r2"));
  EXPECT_EQ(stays.outcome, AffinityOutcome::cookie);
  node_.live.closed(client, "r2");
  const Home moved = node_.get(claim("r2", 1));
  EXPECT_EQ(moved.replica, Placement::pick_by_key(fleet_.upstream, client));
  EXPECT_EQ(moved.outcome, AffinityOutcome::rebound);
  EXPECT_EQ(moved.binding.epoch, 2u);
}

TEST_F(ADirectory, LeavesASidWithItsReplicaWhileThatDrains) {
  stored("sid:s", {"r2", 1});
  fleet_.status("r2").set_draining(true);
  EXPECT_EQ(node_.get(claim("r2", 1, "s")).replica, fleet_.replica("r2"));
}

TEST_F(ADirectory, LeavesClientsWhereTheyAreWhenEveryReplicaDrains) {
  for (const char* replica : {"r1", "r2", "r3"})
    fleet_.status(replica).set_draining(true);
  EXPECT_EQ(node_.get(claim("r2", 1)).replica, fleet_.replica("r2"));
}

TEST_F(ADirectory, MovesAClientOnceWhenItsReplicaIsDown) {
  fleet_.set_up("r2", false);
  const Home moved = node_.get(claim("r2", 1));
  EXPECT_EQ(moved.replica, Placement::pick_by_key(fleet_.upstream, client));
  EXPECT_EQ(moved.outcome, AffinityOutcome::rebound);
  EXPECT_TRUE(moved.set_cookie);
  EXPECT_EQ(moved.binding, (Binding{moved.replica->id, 2}));
  EXPECT_EQ(table_.find(client_key), moved.binding);
  EXPECT_EQ(node_.directory.counters().rebound, 1u);

  fleet_.set_up("r2", true);
  for (const auto& asked : {node_.by_cookie(node_.seal(moved)), claim("r2", 1)}) {
    const Home stays = node_.get(asked);
    EXPECT_EQ(stays.replica, moved.replica) << "it must not flap back";
    EXPECT_EQ(stays.binding, moved.binding);
  }
}

TEST_F(ADirectory, MovesAClientWhoseHomeDiesWhileItIsCached) {
  (void)node_.get(claim("r2", 1));
  fleet_.set_up("r2", false);
  const Home moved = node_.get(claim("r2", 1));
  EXPECT_EQ(moved.outcome, AffinityOutcome::rebound);
  EXPECT_EQ(moved.binding.epoch, 2u);
  EXPECT_EQ(table_.find(client_key), moved.binding);
}

// Another node, or another worker of this one, has moved the client while its replica was away.
TEST_F(ADirectory, AsksAgainAboutClientsOfAReplicaThatHasBeenAway) {
  for (const bool drained : {false, true}) {
    const uint64_t epoch = drained ? 3 : 1;
    stored(client_key, {"r2", epoch});
    ASSERT_EQ(node_.get(claim("r2", epoch)).replica, fleet_.replica("r2"));
    drained ? fleet_.status("r2").set_draining(true) : fleet_.set_up("r2", false);
    stored(client_key, {"r1", epoch + 1});
    drained ? fleet_.status("r2").set_draining(false) : fleet_.set_up("r2", true);
    const Home home = node_.get(claim("r2", epoch));
    EXPECT_EQ(home.replica, fleet_.replica("r1")) << "it must not flap back";
    EXPECT_TRUE(home.set_cookie);
    // And that is remembered again.
    node_.ask(claim("r1", epoch + 1));
    EXPECT_TRUE(node_.answered_at_once);
  }
}

TEST_F(ADirectory, MovesAClientWhoseReplicaIsGone) {
  fleet_.remove("r2");
  const Home moved = node_.get(claim("r2", 4));
  EXPECT_EQ(moved.outcome, AffinityOutcome::rebound);
  EXPECT_EQ(moved.binding.epoch, 5u);
}

TEST_F(ADirectory, MovesAClientWhoseHomeHasJustFailedIt) {
  (void)node_.get(claim("r2", 1));
  const Home moved = node_.get(claim("r2", 1), fleet_.replica("r2"));
  EXPECT_NE(moved.replica, fleet_.replica("r2"));
  EXPECT_EQ(moved.binding.epoch, 2u);
  EXPECT_EQ(node_.get(claim("r2", 1)).replica, moved.replica);
}

TEST_F(ADirectory, StaysWithAReplicaThatFailedWhenItIsTheLastOne) {
  fleet_.set_up("r1", false);
  fleet_.set_up("r3", false);
  const Home home = node_.get(claim("r2", 1), fleet_.replica("r2"));
  EXPECT_EQ(home.replica, fleet_.replica("r2"));
  EXPECT_EQ(home.binding.epoch, 1u);
  EXPECT_EQ(home.outcome, AffinityOutcome::cookie);
}

TEST_F(ADirectory, FollowsTheStoreWhenAnotherNodeHasMovedTheClient) {
  stored(client_key, {"r3", 2});
  const Home home = node_.get(claim("r2", 1));
  EXPECT_EQ(home.replica, fleet_.replica("r3"));
  EXPECT_EQ(home.outcome, AffinityOutcome::rebound);
  EXPECT_TRUE(home.set_cookie);
  EXPECT_EQ(home.binding, (Binding{"r3", 2}));
}

TEST_F(ADirectory, AsksAgainWhenACookieKnowsBetterThanTheCache) {
  (void)node_.get(claim("r2", 1));
  stored(client_key, {"r3", 2});
  EXPECT_EQ(node_.get(claim("r2", 1)).replica, fleet_.replica("r2")) << "cached for a minute";
  EXPECT_EQ(node_.get(claim("r3", 2)).replica, fleet_.replica("r3"));
  EXPECT_EQ(node_.get(claim("r2", 1)).replica, fleet_.replica("r3"));
  EXPECT_TRUE(node_.home->set_cookie);
}

TEST_F(ADirectory, MovesOnWhenTheWinnersReplicaIsDownTooForThisNode) {
  stored(client_key, {"r3", 7});
  fleet_.set_up("r2", false);
  fleet_.set_up("r3", false);
  const Home home = node_.get(claim("r2", 1));
  EXPECT_EQ(home.replica, fleet_.replica("r1"));
  EXPECT_EQ(home.binding, (Binding{"r1", 8}));
  EXPECT_EQ(table_.find(client_key), (Binding{"r1", 8}));
}

TEST_F(ADirectory, SendsOneQuestionForManyRequestsOfOneClient) {
  std::vector<Pending> pendings;
  std::vector<std::string> homes;
  for (int i = 0; i < 6; ++i) {
    pendings.push_back(node_.directory.find(claim("r2", 1), fleet_.upstream, node_.cookies, nullptr,
                                            [&](Home home) { homes.push_back(home.replica->id); }));
  }
  EXPECT_EQ(node_.store.log.size(), 1u);
  pendings[3].reset();
  node_.store.answer();
  EXPECT_THAT(homes, ElementsAre("r2", "r2", "r2", "r2", "r2"));
}

TEST_F(ADirectory, KeepsTheHigherEpochOfTwoCookiesThatAskAtOnce) {
  Home older;
  Home newer;
  Pending first = node_.directory.find(claim("r2", 1), fleet_.upstream, node_.cookies, nullptr,
                                       [&](Home home) { older = home; });
  Pending second = node_.directory.find(claim("r3", 2), fleet_.upstream, node_.cookies, nullptr,
                                        [&](Home home) { newer = home; });
  node_.store.answer();
  EXPECT_EQ(newer.replica, fleet_.replica("r3"));
  EXPECT_FALSE(newer.set_cookie);
  EXPECT_EQ(table_.find(client_key), (Binding{"r3", 2}));
}

TEST_F(ADirectory, LetsAnAnswerDropTheOthersThatWaitForIt) {
  std::vector<Pending> pendings(4);
  int answers = 0;
  for (Pending& pending : pendings) {
    pending =
        node_.directory.find(claim("r2", 1), fleet_.upstream, node_.cookies, nullptr, [&](Home) {
          ++answers;
          pendings.clear();
        });
  }
  node_.store.answer();
  EXPECT_EQ(answers, 1);
}

TEST_F(ADirectory, DoesNotAnswerWhoHasGoneInAnyRound) {
  for (size_t rounds = 0; rounds < 3; ++rounds) {
    ManualClock clock;
    MemoryTable table(clock);
    Node node(table, clock, 3);
    (void)table.claim("sid:s", {"r1", 1}, 1h);
    (void)table.claim(client_key, {"r1", 9}, 1h);
    node.fleet.set_up("r1", false);
    node.ask({.sid = "s", .cookie = node.cookies.open(cookie("r1", 1))});
    for (size_t i = 0; i < rounds; ++i)
      node.store.answer_one();
    EXPECT_FALSE(node.home);
    node.pending.reset();
    node.store.answer();
    EXPECT_FALSE(node.home) << rounds;
  }
}

// --- What other workers and nodes say
// -------------------------------------------------------------------------

TEST_F(ADirectory, FollowsAMoveThatAnotherNodeAnnouncesWithoutAskingTheStore) {
  (void)node_.get(claim("r2", 1));
  node_.directory.learn({{client_key, {"r3", 2}}, {"client:unknown", {"r1", 7}}});
  node_.ask(claim("r2", 1));
  ASSERT_TRUE(node_.answered_at_once);
  EXPECT_EQ(node_.home->replica, fleet_.replica("r3"));
  EXPECT_EQ(node_.home->outcome, AffinityOutcome::rebound);
  EXPECT_TRUE(node_.home->set_cookie);
  EXPECT_THAT(node_.store.log, ElementsAre(asked_client));
}

TEST_F(ADirectory, AsksTheStoreWhenAnAnnouncementContradictsItWithoutAHigherEpoch) {
  for (const Binding& odd : {Binding{"r3", 1}, Binding{"r3", 4}}) {
    (void)node_.get(claim("r2", 5));
    ASSERT_TRUE(node_.directory.find_now(claim("r2", 5), fleet_.upstream, node_.cookies));
    node_.directory.learn({{client_key, odd}});
    node_.node_bindings.learn({client_key, odd});
    node_.ask(claim("r2", 5));
    EXPECT_FALSE(node_.answered_at_once);
    node_.store.answer();
    EXPECT_EQ(node_.home->replica, fleet_.replica("r2"));
  }
}

TEST_F(ADirectory, AsksAboutEverybodyAgainWhenAnnouncementsMayHaveBeenMissed) {
  (void)node_.get(claim("r2", 1));
  clock_.advance(1s);
  node_.directory.doubt();
  node_.node_bindings.doubt();
  clock_.advance(1s);
  node_.ask(claim("r2", 1));
  EXPECT_FALSE(node_.answered_at_once);
  node_.store.answer();
  EXPECT_THAT(node_.store.log, ElementsAre(asked_client, asked_client));
  EXPECT_TRUE(node_.directory.find_now(claim("r2", 1), fleet_.upstream, node_.cookies));
}

TEST_F(ADirectory, SaysOnceThatAHomeIsNews) {
  EXPECT_TRUE(node_.get(claim("r2", 1)).news);
  EXPECT_FALSE(node_.get(claim("r2", 1)).news);
  stored(client_key, {"r3", 2});
  EXPECT_TRUE(node_.get(claim("r3", 2)).news) << "another node has moved it";
  EXPECT_FALSE(node_.get(claim("r3", 2)).news);
}

TEST_F(ADirectory, RecallsAHomeWithoutARequestOfItsClient) {
  stored(client_key, {"r3", 2});
  Result<std::optional<Binding>> answer = std::optional<Binding>();
  const Pending pending =
      node_.directory.recall(client, [&](const auto& found) { answer = found; });
  node_.store.answer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, (Binding{"r3", 2}));
  node_.ask(claim("r3", 2));
  EXPECT_TRUE(node_.answered_at_once) << "it is remembered";
}

TEST_F(ADirectory, TakesAnotherWorkersWordForAMinuteFromWhenTheStoreGaveIt) {
  (void)node_.get(claim("r2", 1));
  Placement placement(1, clock_);
  SessionDirectory other(node_.store, clock_, node_.settings, placement, node_.live,
                         node_.node_sids, node_.node_bindings, node_.unknown);
  clock_.advance(59s);
  const auto home = other.find_now(claim("r2", 1), fleet_.upstream, node_.cookies);
  ASSERT_TRUE(home);
  EXPECT_EQ(home->replica, fleet_.replica("r2"));
  clock_.advance(1s);
  EXPECT_FALSE(other.find_now(claim("r2", 1), fleet_.upstream, node_.cookies));
  EXPECT_THAT(node_.store.log, ElementsAre(asked_client));
  // Nor for a client whose cookie knows more, or whose home has been away since.
  (void)node_.get(claim("r2", 1));
  EXPECT_FALSE(other.find_now(claim("r3", 2), fleet_.upstream, node_.cookies));
  fleet_.set_up("r2", false);
  fleet_.set_up("r2", true);
  EXPECT_FALSE(other.find_now(claim("r2", 1), fleet_.upstream, node_.cookies));
}

TEST_F(ADirectory, ProposesNoHomeThatAnotherWorkerHasAlreadyReplaced) {
  // The other worker waits for r2 with this client's poll; r2 dies, and a request that comes to
  // this one moves the client. Then the store loses its data.
  fleet_.set_up("r2", false);
  const Home moved = node_.get(claim("r2", 1));
  fleet_.set_up("r2", true);
  node_.node_bindings.doubt();
  MemoryTable empty(clock_);
  SlowStore lost(empty);
  Placement placement(1, clock_);
  SessionDirectory other(lost, clock_, node_.settings, placement, node_.live, node_.node_sids,
                         node_.node_bindings, node_.unknown);
  std::optional<Home> home;
  const Pending pending = other.find(claim("r2", 1), fleet_.upstream, node_.cookies,
                                     fleet_.replica("r2"), [&](Home found) { home = found; });
  lost.answer();
  ASSERT_TRUE(home);
  EXPECT_EQ(home->binding, moved.binding);
  EXPECT_EQ(home->replica, moved.replica);
}

// r1 and r2 are old, r3 is new.
void mix_versions(Fleet& fleet) {
  for (Replica& replica : fleet.upstream.replicas)
    replica.version = replica.id == "r3" ? "0.11.0" : "0.10.0";
  fleet.upstream.rank_versions(true);
}

TEST_F(ADirectory, MovesAClientToItsOwnVersionWhileThereIsOne) {
  mix_versions(fleet_);
  fleet_.set_up("r1", false);
  EXPECT_EQ(node_.get(claim("r1", 1)).replica->id, "r2");
  fleet_.set_up("r2", false);
  EXPECT_EQ(node_.get(claim("r2", 2)).replica->id, "r3");
}

TEST_F(ADirectory, KeepsAClientAtADrainingReplicaRatherThanShowItAnotherVersion) {
  mix_versions(fleet_);
  fleet_.status("r1").set_draining(true, clock_.now() + 10min);
  fleet_.status("r2").set_draining(true, clock_.now() + 10min);
  EXPECT_EQ(node_.get(claim("r1", 1)).replica->id, "r1");
  clock_.advance(10min);
  EXPECT_EQ(node_.get(claim("r1", 1)).replica->id, "r3") << "the limit is over";
}

TEST_F(ADirectory, KeepsAWebsocketsClientAtADrainingReplicaUntilTheLimit) {
  fleet_.status("r1").set_draining(true, clock_.now() + 10min);
  const SessionClaim mine = claim("r1", 1);
  node_.live.opened(mine.cookie->client, "r1");
  EXPECT_EQ(node_.get(mine).replica->id, "r1");
  clock_.advance(10min);
  EXPECT_NE(node_.get(mine).replica->id, "r1");
}

// 60 clients know r1 and r2; then r3 joins.
class ADirectoryThatRebalances : public ADirectory {
 protected:
  ADirectoryThatRebalances() {
    fleet_.upstream.rebalance = 10;
    fleet_.set_up("r3", false);
    for (int i = 0; i < 60; ++i) {
      const Home home = node_.get({});
      clients_.push_back(home.client);
      cookies_.push_back(node_.seal(home));
    }
    ask_all();
    fleet_.status("r3").begin_slow_start(clock_.now());
    fleet_.set_up("r3", true);
  }
  // Every client asks once; how many are moved.
  int ask_all() {
    int moved = 0;
    for (std::string& cookie : cookies_) {
      const Home home = node_.get(node_.by_cookie(cookie));
      if (home.outcome == AffinityOutcome::rebound) {
        EXPECT_EQ(home.replica->id, "r3");
        ++moved;
      }
      if (home.set_cookie) cookie = node_.seal(home);
    }
    return moved;
  }
  std::vector<std::string> clients_;
  std::vector<std::string> cookies_;
};

TEST_F(ADirectoryThatRebalances, MovesClientsAtItsPaceUntilTheNewcomerHasAsManyAsTheOthers) {
  EXPECT_EQ(ask_all(), 1) << "one in a tenth of a second";
  EXPECT_EQ(ask_all(), 0);
  int moved = 1;
  for (int i = 0; i < 100; ++i) {
    clock_.advance(100ms);
    const int now = ask_all();
    EXPECT_LE(now, 1);
    moved += now;
  }
  EXPECT_NEAR(moved, 20, 2);
  EXPECT_NEAR(static_cast<double>(fleet_.status("r3").sessions), 20, 2);
  EXPECT_EQ(ask_all(), 0) << "and then nobody";
}

TEST_F(ADirectoryThatRebalances, LeavesWhoeverHasSomethingOpen) {
  for (size_t i = 0; i < clients_.size(); ++i) {
    i % 2 ? node_.live.opened(clients_[i], "r1") : node_.live.request_began(clients_[i]);
  }
  EXPECT_EQ(ask_all(), 0);
  node_.live.request_ended(clients_[0]);
  EXPECT_EQ(ask_all(), 1);
}

TEST_F(ADirectoryThatRebalances, MovesWhoHasBeenGivenATurn) {
  // A websocket that leaves for it, at a quiet moment.
  EXPECT_EQ(ask_all(), 1) << "the turn of this tenth of a second";
  const auto at_r1 = std::ranges::find_if(cookies_, [&](const std::string& cookie) {
    return node_.get(node_.by_cookie(cookie)).replica->id == "r1";
  });
  ASSERT_NE(at_r1, cookies_.end());
  SessionClaim claim = node_.by_cookie(*at_r1);
  claim.turn_at = &fleet_.status("r3");
  const Home home = node_.get(claim);
  EXPECT_EQ(home.replica->id, "r3");
  EXPECT_EQ(home.outcome, AffinityOutcome::rebound);
}

TEST_F(ADirectoryThatRebalances, MovesNobodyWithoutTheStoreOrTheSetting) {
  node_.store.up = false;
  EXPECT_EQ(ask_all(), 0);
  node_.store.up = true;
  fleet_.upstream.rebalance = 0;
  EXPECT_EQ(ask_all(), 0);
}

TEST_F(ADirectoryThatRebalances, MovesNobodyToAnotherVersion) {
  mix_versions(fleet_);
  EXPECT_EQ(ask_all(), 0);
}

TEST_F(ADirectory, MayBeDestroyedWhileItWaits) {
  Pending find;
  Pending learn;
  {
    Placement placement(1, clock_);
    SessionDirectory directory(node_.store, clock_, node_.settings, placement, node_.live,
                               node_.node_sids, node_.node_bindings, node_.unknown);
    find = directory.find(claim("r2", 1, "s"), fleet_.upstream, node_.cookies, nullptr,
                          [](Home) { FAIL(); });
    learn = directory.learn_sid("s", {"r1", 1}, {}, [] { FAIL(); });
  }
  EXPECT_FALSE(find.active());
  EXPECT_FALSE(learn.active());
  node_.store.answer();
}

TEST_F(ADirectory, GivesANewCookieWhenTheSecretIsOnItsWayOut) {
  const AffinityCookies rotated(&tls::make_hmac_sha256, {{"new", "secret"}});
  Home home;
  Pending pending =
      node_.directory.find({.sid = {}, .cookie = rotated.open(cookie("r2", 1))}, fleet_.upstream,
                           rotated, nullptr, [&](Home found) { home = found; });
  node_.store.answer();
  EXPECT_EQ(home.outcome, AffinityOutcome::cookie);
  EXPECT_TRUE(home.set_cookie);
  EXPECT_EQ(home.binding, (Binding{"r2", 1}));
}

TEST_F(ADirectory, CountsTheClientsThatLiveAtAReplica) {
  for (int i = 0; i < 30; ++i) {
    node_.ask({});
    (void)node_.get(node_.by_cookie(node_.seal(*node_.home)));
  }
  const auto sessions = [&](const char* id) { return fleet_.status(id).sessions.load(); };
  EXPECT_EQ(sessions("r1") + sessions("r2") + sessions("r3"), 30u);
  const auto at_r2 = sessions("r2");
  (void)node_.get(claim("r2", 1));
  EXPECT_EQ(sessions("r2"), at_r2 + 1);
  fleet_.set_up("r2", false);
  (void)node_.get(claim("r2", 1));
  EXPECT_EQ(sessions("r2"), at_r2);
  EXPECT_EQ(sessions("r1") + sessions("r2") + sessions("r3"), 31u);
}

// --- Sessions of Engine.IO
// -------------------------------------------------------------------------

TEST_F(ADirectory, SendsASidToTheReplicaThatIssuedItThroughAnyNode) {
  Node other(table_, clock_, 3);
  bool kept = false;
  Pending learning = node_.directory.learn_sid("s1", {"r3", 1}, {}, [&] { kept = true; });
  EXPECT_FALSE(kept);
  node_.store.answer();
  EXPECT_TRUE(kept);
  EXPECT_EQ(node_.store.last_ttl, 10min);

  node_.ask(sid_only("s1"));
  EXPECT_TRUE(node_.answered_at_once);
  EXPECT_EQ(node_.home->replica, fleet_.replica("r3"));
  EXPECT_EQ(node_.home->outcome, AffinityOutcome::sid);
  const Home home = other.get(sid_only("s1"));
  EXPECT_EQ(home.replica, other.fleet.replica("r3"));
  EXPECT_THAT(other.store.log, ElementsAre("find sid:s1"));
}

TEST_F(ADirectory, GivesACookieThatNamesTheSidsReplicaToWhoHasNone) {
  stored("sid:s1", {"r3", 1});
  const Home home = node_.get(sid_only("s1"));
  EXPECT_TRUE(home.set_cookie);
  EXPECT_EQ(home.binding, (Binding{"r3", 1}));
  const Home next = node_.get(node_.by_cookie(node_.seal(home)));
  EXPECT_EQ(next.replica, fleet_.replica("r3"));
}

TEST_F(ADirectory, PrefersTheSidToTheCookieAndLeavesTheCookieAlone) {
  stored("sid:s1", {"r3", 1});
  const Home home = node_.get(claim("r1", 1, "s1"));
  EXPECT_EQ(home.replica, fleet_.replica("r3"));
  EXPECT_EQ(home.outcome, AffinityOutcome::sid);
  EXPECT_FALSE(home.set_cookie);
  EXPECT_EQ(home.client, client);
}

// A polling client whose replica drained, with pages beside the polls: both have one home.
TEST_F(ADirectory, EndsASessionWhoseClientHasMovedSinceItWasOpened) {
  stored("sid:s1", {"r3", 4});
  EXPECT_EQ(node_.get(claim("r1", 4, "s1")).replica, fleet_.replica("r3"));
  const Home moved = node_.get(claim("r1", 5, "s1"));
  EXPECT_EQ(moved.replica, fleet_.replica("r1"));
  EXPECT_EQ(moved.outcome, AffinityOutcome::cookie);
  EXPECT_EQ(node_.get(claim("r1", 5, "s1")).replica, fleet_.replica("r1"));
  EXPECT_TRUE(node_.answered_at_once);
  // Back at the sid's replica the session may live on.
  EXPECT_EQ(node_.get(claim("r3", 6, "s1")).replica, fleet_.replica("r3"));
}

TEST_F(ADirectory, EndsASessionWhoseClientAnotherNodeHasMoved) {
  const Pending learning = node_.directory.learn_sid("s1", {"r3", 1}, {}, [] {});
  node_.store.answer();
  EXPECT_EQ(node_.get(claim("r3", 1)).replica, fleet_.replica("r3"));
  node_.directory.learn({{client_key, {"r2", 2}}});
  EXPECT_EQ(node_.get(claim("r3", 1, "s1")).replica, fleet_.replica("r2"));
}

TEST_F(ADirectory, EndsASessionWhoseClientHasMovedThoughItOnlyPollsHere) {
  const Pending learning = node_.directory.learn_sid("s1", {"r3", 1}, {}, [] {});
  node_.store.answer();
  EXPECT_EQ(node_.get(claim("r3", 1, "s1")).replica, fleet_.replica("r3"));
  const Moved moved{client_key, {"r2", 2}};
  node_.node_bindings.learn(moved);
  node_.directory.learn({moved});
  EXPECT_EQ(node_.get(claim("r3", 1, "s1")).replica, fleet_.replica("r2"));
}

TEST_F(ADirectory, FallsBackToTheCookieForAnUnknownSid) {
  const Home home = node_.get(claim("r2", 1, "unknown"));
  EXPECT_EQ(home.replica, fleet_.replica("r2"));
  EXPECT_EQ(home.outcome, AffinityOutcome::cookie);
  EXPECT_THAT(node_.store.log, ElementsAre("find sid:unknown", asked_client));
}

TEST_F(ADirectory, AsksAboutAnUnknownSidOnceInAMoment) {
  for (int i = 0; i < 100; ++i) {
    (void)node_.get(claim("r2", 1, "unknown"));
    (void)node_.get(sid_only("unknown"));
  }
  EXPECT_THAT(node_.store.log, ElementsAre("find sid:unknown", asked_client));
  clock_.advance(UnknownKeys::life);
  (void)node_.get(sid_only("unknown"));
  EXPECT_THAT(node_.store.log, ElementsAre("find sid:unknown", asked_client, "find sid:unknown"));
}

TEST_F(ADirectory, KnowsASidThatItsNodeLearnsInThatMoment) {
  (void)node_.get(sid_only("s1"));
  Placement placement(1, clock_);
  SessionDirectory worker(node_.store, clock_, node_.settings, placement, node_.live,
                          node_.node_sids, node_.node_bindings, node_.unknown);
  const Pending learning = worker.learn_sid("s1", {"r3", 1}, {}, [] {});
  EXPECT_EQ(node_.get(sid_only("s1")).replica, fleet_.replica("r3"));
}

TEST_F(ADirectory, KeepsNoMoreSidsOfANetworkThanItsShare) {
  node_.node_sids.set_share(2);
  const auto learn = [&](std::string_view sid, std::string_view network) {
    const Pending learning = node_.directory.learn_sid(sid, {"r3", 1}, network, [] {});
    const bool keeps = learning.active();
    node_.store.answer();
    return keeps;
  };
  EXPECT_TRUE(learn("a", "net1"));
  EXPECT_TRUE(learn("b", "net1"));
  EXPECT_FALSE(learn("c", "net1"));
  EXPECT_TRUE(learn("d", "net2")) << "others have theirs";
  EXPECT_EQ(table_.size(), 3u);
  EXPECT_EQ(node_.get(claim("r2", 1, "c")).replica, fleet_.replica("r2")) << "by its cookie";
}

TEST_F(ADirectory, ProlongsNoSidBeyondTheShareOfWhoeverAsks) {
  node_.node_sids.set_share(1);
  stored("sid:a", {"r3", 1});
  stored("sid:b", {"r3", 1});
  const auto ask = [&](const char* sid) {
    return node_.get({.sid = sid, .cookie = {}, .network = "net1"}).replica->id;
  };
  for (int minute = 0; minute < 3; ++minute) {
    EXPECT_EQ(ask("a"), "r3");
    EXPECT_EQ(ask("b"), "r3");
    clock_.advance(61s);
  }
  EXPECT_THAT(node_.store.log, ElementsAre("find sid:a", "find sid:b", "claim sid:a r3 1",
                                           "find sid:b", "claim sid:a r3 1", "find sid:b"));
}

TEST_F(ADirectory, FallsBackToTheCookieWhenTheSidsReplicaIsDown) {
  stored("sid:s1", {"r3", 1});
  fleet_.set_up("r3", false);
  EXPECT_EQ(node_.get(claim("r2", 1, "s1")).replica, fleet_.replica("r2"));
  EXPECT_EQ(node_.get(claim("r2", 1, "s1")).replica, fleet_.replica("r2"));
  EXPECT_TRUE(node_.answered_at_once) << "both the sid and the client are known by now";
}

TEST_F(ADirectory, PlacesAnUnknownSidWithoutCookieWhereEveryNodeWould) {
  Node other(table_, clock_, 3);
  for (size_t i = 0; i < 50; ++i) {
    const std::string sid = numbered("s", i);
    EXPECT_EQ(node_.get(sid_only(sid)).replica->id, other.get(sid_only(sid)).replica->id);
    EXPECT_EQ(node_.home->outcome, AffinityOutcome::fresh);
  }
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(ADirectory, ProlongsTheLifeOfASidOnceAMinute) {
  stored("sid:s1", {"r3", 1});
  (void)node_.get(sid_only("s1"));
  for (int i = 0; i < 30 * 60; i += 5) {
    clock_.advance(5s);
    ASSERT_EQ(node_.get(sid_only("s1")).replica, fleet_.replica("r3"));
  }
  EXPECT_EQ(node_.store.log.front(), "find sid:s1");
  EXPECT_EQ(node_.store.log.back(), "claim sid:s1 r3 1");
  EXPECT_EQ(node_.store.log.size(), 31u);
}

TEST_F(ADirectory, TakesNoMoreOfASidThanAReplicaWouldIssue) {
  const std::string endless(100'000, 's');
  (void)node_.get(sid_only(endless));
  ASSERT_EQ(node_.store.log.size(), 1u);
  EXPECT_LT(node_.store.log[0].size(), 200u);
  Pending learning = node_.directory.learn_sid(endless, {"r2", 1}, {}, [] {});
  node_.store.answer();
  EXPECT_EQ(node_.get(sid_only(endless)).replica, fleet_.replica("r2"));
}

TEST_F(ADirectory, TellsTheHandshakeWhenTheStoreCannotHaveTheSid) {
  node_.store.failing = true;
  bool kept = false;
  Pending learning = node_.directory.learn_sid("s1", {"r3", 1}, {}, [&] { kept = true; });
  node_.store.answer();
  EXPECT_TRUE(kept);
  node_.store.up = false;
  node_.ask(sid_only("s1"));
  EXPECT_EQ(node_.home->replica, fleet_.replica("r3")) << "this node knows it all the same";

  node_.store.up = true;
  node_.store.failing = false;
  (void)node_.get(sid_only("s1"));
  EXPECT_EQ(table_.find("sid:s1"), (Binding{"r3", 1})) << "and tells the store when it is back";
}

TEST_F(ADirectory, StopsWaitingForASidThatNobodyWaitsFor) {
  bool kept = false;
  {
    Pending learning = node_.directory.learn_sid("s1", {"r3", 1}, {}, [&] { kept = true; });
  }
  node_.store.answer();
  EXPECT_FALSE(kept);
  EXPECT_EQ(table_.find("sid:s1"), (Binding{"r3", 1}));
}

// --- The store is away
// -----------------------------------------------------------------------------

class ADirectoryAlone : public ADirectory {
 protected:
  void SetUp() override { node_.store.failing = true; }
};

TEST_F(ADirectoryAlone, BelievesTheCookieWhenTheStoreFails) {
  const Home home = node_.get(claim("r2", 3));
  EXPECT_EQ(home.replica, fleet_.replica("r2"));
  EXPECT_EQ(home.outcome, AffinityOutcome::cookie);
  EXPECT_FALSE(home.set_cookie);
  EXPECT_EQ(node_.directory.counters().store_failures, 1u);
}

TEST_F(ADirectoryAlone, KnowsTheSidsThatOtherWorkersOfItsNodeHaveLearnt) {
  node_.store.up = false;
  Placement placement(1, clock_);
  SessionDirectory worker(node_.store, clock_, node_.settings, placement, node_.live,
                          node_.node_sids, node_.node_bindings, node_.unknown);
  const Pending learning = worker.learn_sid("s", {"r3", 1}, {}, [] {});
  node_.ask(sid_only("s"));
  EXPECT_TRUE(node_.answered_at_once);
  EXPECT_EQ(node_.home->replica, fleet_.replica("r3"));
  EXPECT_EQ(node_.home->outcome, AffinityOutcome::sid);
}

TEST_F(ADirectoryAlone, AnswersAtOnceWhenTheStoreIsKnownToBeDown) {
  node_.store.up = false;
  for (const SessionClaim& asked :
       {SessionClaim{}, sid_only("s"), claim("r2", 1), claim("r2", 1, "s")}) {
    node_.ask(asked);
    EXPECT_TRUE(node_.answered_at_once);
    EXPECT_NE(node_.home->replica, nullptr);
  }
  EXPECT_THAT(node_.store.log, IsEmpty());
}

TEST_F(ADirectoryAlone, MovesAClientWhereEveryNodeWould) {
  Node other(table_, clock_, 3);
  for (Node* node : {&node_, &other}) {
    node->store.failing = true;
    node->fleet.set_up("r2", false);
  }
  for (int i = 0; i < 50; ++i) {
    const std::string sealed = node_.cookies.seal(AffinityCookies::new_client_id(), {"r2", 1});
    const Home here = node_.get(node_.by_cookie(sealed));
    const Home there = other.get(other.by_cookie(sealed));
    EXPECT_EQ(here.replica->id, there.replica->id);
    EXPECT_EQ(here.binding, there.binding);
    EXPECT_EQ(here.outcome, AffinityOutcome::rebound);
    EXPECT_TRUE(here.set_cookie);
  }
}

TEST_F(ADirectoryAlone, DoesNotFlapBackWhenTheReplicaReturns) {
  node_.store.up = false;
  fleet_.set_up("r2", false);
  const Home moved = node_.get(claim("r2", 1));
  EXPECT_TRUE(moved.news);
  fleet_.set_up("r2", true);
  EXPECT_EQ(node_.get(claim("r2", 1)).replica, moved.replica);
  EXPECT_TRUE(node_.home->set_cookie);
  EXPECT_FALSE(node_.home->news);
}

TEST_F(ADirectoryAlone, FollowsWhatAnotherWorkerOfItsNodeHasDecided) {
  // A websocket's client is moved: nobody can give it another cookie.
  node_.store.up = false;
  fleet_.set_up("r2", false);
  const Home moved = node_.get(claim("r2", 1));
  fleet_.set_up("r2", true);
  Placement placement(1, clock_);
  SessionDirectory other(node_.store, clock_, node_.settings, placement, node_.live,
                         node_.node_sids, node_.node_bindings, node_.unknown);
  (void)other.find_now(claim("r1", 0), fleet_.upstream, node_.cookies);
  const auto home = other.find_now(claim("r2", 1), fleet_.upstream, node_.cookies);
  ASSERT_TRUE(home);
  EXPECT_EQ(home->binding, moved.binding);
  EXPECT_TRUE(home->set_cookie);
  // But a cookie of the same epoch is what all nodes see.
  const auto said =
      other.find_now(claim("r3", moved.binding.epoch), fleet_.upstream, node_.cookies);
  EXPECT_EQ(said->replica, moved.replica->id == "r3" ? moved.replica : fleet_.replica("r3"));
}

TEST_F(ADirectoryAlone, TellsTheStoreWhenItIsBack) {
  node_.store.up = false;
  fleet_.set_up("r2", false);
  const Home moved = node_.get(claim("r2", 1));
  node_.store.up = true;
  node_.store.failing = false;
  EXPECT_EQ(node_.get(claim("r2", 1)).replica, moved.replica);
  EXPECT_EQ(table_.find(client_key), moved.binding);
}

TEST_F(ADirectoryAlone, FollowsTheCookieThatAnotherNodeHasRenewedMeanwhile) {
  node_.store.up = false;
  EXPECT_EQ(node_.get(claim("r1", 1)).replica, fleet_.replica("r1"));
  EXPECT_EQ(node_.get(claim("r3", 2)).replica, fleet_.replica("r3"));
  EXPECT_EQ(node_.get(claim("r2", 2)).replica, fleet_.replica("r2")) << "of equals the cookie's";
  EXPECT_EQ(node_.get(claim("r1", 1)).replica, fleet_.replica("r2")) << "the lower one is old";
}

TEST_F(ADirectoryAlone, BelievesWhatTheStoreOnceSaidBeforeACookieOfTheSameEpoch) {
  node_.store.failing = false;
  stored(client_key, {"r3", 2});
  (void)node_.get(claim("r3", 2));
  node_.store.up = false;
  EXPECT_EQ(node_.get(claim("r1", 2)).replica, fleet_.replica("r3"));
}

TEST_F(ADirectoryAlone, ServesCachedClientsBeyondTheirMinute) {
  node_.store.failing = false;
  (void)node_.get(claim("r2", 1));
  stored("sid:s1", {"r3", 1});
  (void)node_.get(sid_only("s1"));
  clock_.advance(10min);
  node_.store.up = false;
  EXPECT_EQ(node_.get(claim("r2", 1)).replica, fleet_.replica("r2"));
  EXPECT_EQ(node_.get(sid_only("s1")).replica, fleet_.replica("r3"));
  EXPECT_TRUE(node_.answered_at_once);
}

TEST_F(ADirectoryAlone, ServesACachedSidWhenTheStoreFailsToConfirmIt) {
  node_.store.failing = false;
  stored("sid:s1", {"r3", 1});
  (void)node_.get(sid_only("s1"));
  clock_.advance(2min);
  node_.store.failing = true;
  EXPECT_EQ(node_.get(sid_only("s1")).replica, fleet_.replica("r3"));
  EXPECT_FALSE(node_.answered_at_once);
}

TEST_F(ADirectoryAlone, PlacesNewClientsByTheirKey) {
  node_.store.up = false;
  for (int i = 0; i < 20; ++i) {
    node_.ask({});
    EXPECT_EQ(node_.home->replica, Placement::pick_by_key(fleet_.upstream, node_.home->client));
  }
}

TEST_F(ADirectory, WaitsForOneSlowAnswerAndNotForThree) {
  stored(client_key, {"r3", 7});
  fleet_.set_up("r3", false);
  node_.ask(claim("r2", 1, "unknown"));
  clock_.advance(200ms);
  node_.store.answer_one();
  ASSERT_TRUE(node_.home) << "after a slow answer for the sid it decides alone about the client";
  EXPECT_EQ(node_.home->replica, fleet_.replica("r2"));

  Node slow(table_, clock_, 3);
  slow.fleet.set_up("r3", false);
  slow.ask(claim("r2", 1));
  clock_.advance(200ms);
  slow.store.answer_one();
  ASSERT_TRUE(slow.home);
  EXPECT_EQ(slow.home->binding.epoch, 8u) << "what the slow answer said counts";
}

TEST_F(ADirectory, BoundsWhatItRemembers) {
  node_.store.up = false;
  for (size_t i = 0; i < 70'000; ++i) {
    CookieContent content;
    content.client = numbered("c", i);
    node_.ask({.sid = {}, .cookie = content});
  }
  uint64_t sessions = 0;
  for (const char* id : {"r1", "r2", "r3"})
    sessions += fleet_.status(id).sessions;
  EXPECT_EQ(sessions, 65'536u);
}

TEST_F(ADirectory, ForgetsIdleClientsWhenOthersCome) {
  (void)node_.get(claim("r2", 1));
  EXPECT_EQ(fleet_.status("r2").sessions, 1u);
  clock_.advance(25h);
  fleet_.status("r2").websockets = 1;  // the next one goes elsewhere
  node_.ask({});
  (void)node_.get(node_.by_cookie(node_.seal(*node_.home)));
  EXPECT_EQ(fleet_.status("r2").sessions, 0u);
}

TEST(AffinityOutcome, IsNamedAsInTheAccessLog) {
  EXPECT_EQ(name_of(AffinityOutcome::none), "none");
  EXPECT_EQ(name_of(AffinityOutcome::fresh), "new");
  EXPECT_EQ(name_of(AffinityOutcome::cookie), "cookie");
  EXPECT_EQ(name_of(AffinityOutcome::sid), "sid");
  EXPECT_EQ(name_of(AffinityOutcome::rebound), "rebound");
}

// --- Two nodes
// -------------------------------------------------------------------------------------

TEST(TwoNodes, AgreeOnOneNewHomeForEveryClientOfALostReplica) {
  ManualClock clock;
  MemoryTable table(clock);
  Node a(table, clock, 3);
  Node b(table, clock, 3);
  // b has not yet seen that r3 is down; a has.
  for (Node* node : {&a, &b})
    node->fleet.set_up("r1", false);
  a.fleet.set_up("r3", false);
  std::map<std::string, Home> at_a;
  std::map<std::string, Home> at_b;
  std::vector<Pending> pendings;
  for (int i = 0; i < 200; ++i) {
    const std::string sealed = a.cookies.seal(AffinityCookies::new_client_id(), {"r1", 1});
    const auto ask = [&](Node& node, std::map<std::string, Home>& homes) {
      pendings.push_back(node.directory.find(node.by_cookie(sealed), node.fleet.upstream,
                                             node.cookies, nullptr,
                                             [&](Home home) { homes[home.client] = home; }));
    };
    if (i % 2 == 0) {
      ask(a, at_a);
      ask(b, at_b);
    } else {
      ask(b, at_b);
      ask(a, at_a);
    }
  }
  b.store.answer();
  a.store.answer();
  // Those whom b had sent to r3 were moved again by a; b follows within a minute or with the
  // cookie.
  int moved_again = 0;
  for (const auto& [id, home] : at_a) {
    EXPECT_EQ(home.binding, table.find(std::string("client:").append(id)));
    const Home& there = at_b[id];
    if (there.binding == home.binding) continue;
    ++moved_again;
    EXPECT_EQ(there.replica->id, "r3");
    EXPECT_EQ(b.get(b.by_cookie(a.seal(home))).binding, home.binding);
  }
  EXPECT_GT(moved_again, 0);
}

TEST(TwoNodes, SpreadTheClientsOfALostReplicaEvenly) {
  ManualClock clock;
  MemoryTable table(clock);
  Node a(table, clock, 4);
  Node b(table, clock, 4);
  std::map<std::string, int> shares;
  for (Node* node : {&a, &b})
    node->fleet.set_up("r2", false);
  for (int i = 0; i < 3000; ++i) {
    const std::string sealed = a.cookies.seal(AffinityCookies::new_client_id(), {"r2", 1});
    Node& node = i % 2 == 0 ? a : b;
    ++shares[node.get(node.by_cookie(sealed)).replica->id];
  }
  ASSERT_EQ(shares.size(), 3u);
  int most = 0;
  for (const auto& [id, share] : shares)
    most = std::max(most, share);
  RecordProperty("largest_share", most);
  EXPECT_LE(most, 1250);
}

}  // namespace
}  // namespace usher::routing
