// A cluster of two masters that answer as badly as a test wants.

#include "routing/redis/cluster_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/routing_redis/client_fixture.h"
#include "tests/unit/routing_redis/fake_redis.h"

namespace usher::routing::redis {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// Their slots are 12182 and 866.
constexpr const char* high_key = "foo";
constexpr const char* low_key = "hello";

std::string range(int first, int last, const FakeRedis& master) {
  return "*3\r\n:" + std::to_string(first) + "\r\n:" + std::to_string(last) +
         "\r\n*2\r\n$9\r\n127.0.0.1\r\n:" + std::to_string(master.address.port()) + "\r\n";
}

class ACluster : public testing::Test, public ClientFixture {
 protected:
  ACluster() : ClientFixture(0) {
    settings.url.kind = conf::StoreKind::cluster;
    settings.url.servers = {{"127.0.0.1", low.address.port(), {}}};
    map = "*2\r\n" + range(0, 8191, low) + range(8192, 16383, high);
    for (FakeRedis* member : {&low, &high})
      use(*member, "+" + std::string(member == &low ? "low" : "high") + "\r\n");
  }
  ~ACluster() override { cluster.reset(); }

  // What a member answers to GET; the rest is as it should be.
  void use(FakeRedis& member, std::string answer) {
    member.script = [this, answer](const FakeRedis::Words& words) -> std::string {
      if (words[0] == "CLUSTER") return map;
      if (words[0] == "GET") return answer;
      if (words[0] == "PEXPIRE") return "-MOVED 7000 127.0.0.1:1\r\n";
      return "+OK\r\n";
    };
  }
  std::string moved_to(const FakeRedis& member, const char* kind = "MOVED") {
    return std::string("-") + kind + " 12182 127.0.0.1:" + std::to_string(member.address.port()) +
           "\r\n";
  }
  void start() {
    cluster.emplace(access(), witness);
    ASSERT_TRUE(driver.until([this] { return !witness.events.empty(); }));
  }
  void begin(Call& call, const char* key) {
    call.pending = cluster->call(
        key, {"GET", key}, [&call](Result<Reply> result) { call.result = std::move(result); });
  }
  std::string get(const char* key) {
    Call call;
    begin(call, key);
    driver.until([&] { return call.done(); });
    return call.text();
  }
  static long count(const FakeRedis& member, const char* name) {
    return std::count_if(member.commands.begin(), member.commands.end(),
                         [&](const FakeRedis::Words& words) { return words[0] == name; });
  }

  FakeRedis low{driver.loop};
  FakeRedis high{driver.loop};
  std::string map;
  std::optional<ClusterClient> cluster;
};

TEST_F(ACluster, SendsEachKeyToItsMaster) {
  start();
  EXPECT_THAT(witness.events, ElementsAre("up"));
  EXPECT_EQ(get(low_key), "low");
  EXPECT_EQ(get(high_key), "high");
  EXPECT_EQ(witness.calls, 2);
  EXPECT_EQ(witness.failures, 0);
}

TEST_F(ACluster, FollowsASlotThatHasMovedOnceAndThenKnows) {
  start();
  use(high, moved_to(low));
  EXPECT_EQ(get(high_key), "low");
  map = "*1\r\n" + range(0, 16383, low);
  ASSERT_TRUE(driver.until([&] { return count(low, "CLUSTER") + count(high, "CLUSTER") >= 2; }));
  driver.run_for(20ms);
  EXPECT_EQ(get(high_key), "low");
  EXPECT_EQ(count(high, "GET"), 1);
  EXPECT_EQ(witness.calls, 2) << "a redirection is no call of its own";
  EXPECT_EQ(witness.failures, 0);
}

TEST_F(ACluster, FollowsASlotToAMasterItHasNeverMet) {
  start();
  FakeRedis third(driver.loop);
  use(third, "+third\r\n");
  use(high, moved_to(third));
  EXPECT_EQ(get(high_key), "third");
  cluster.reset();
}

TEST_F(ACluster, AsksOnceWhereASlotIsOnItsWay) {
  start();
  use(high, moved_to(low, "ASK"));
  EXPECT_EQ(get(high_key), "low");
  EXPECT_EQ(count(low, "ASKING"), 1);
  const auto asking = std::find_if(low.commands.begin(), low.commands.end(),
                                   [](const auto& words) { return words[0] == "ASKING"; });
  EXPECT_THAT(*std::next(asking), ElementsAre("GET", high_key));
  // It is still the old master's.
  use(high, "+high\r\n");
  EXPECT_EQ(get(high_key), "high");
}

TEST_F(ACluster, GivesUpWhenItIsSentInACircle) {
  start();
  use(high, moved_to(low));
  use(low, moved_to(high));
  EXPECT_THAT(get(high_key), StartsWith("store_error: MOVED"));
  EXPECT_LE(count(high, "GET") + count(low, "GET"), 4);
  EXPECT_EQ(witness.failures, 1);
}

TEST_F(ACluster, LosesOnlyTheKeysOfAMasterThatIsAway) {
  start();
  low.closes_at_once = true;
  low.close_all();
  ASSERT_TRUE(driver.until([&] { return witness.events.size() == 2; }));
  EXPECT_THAT(witness.events, ElementsAre("up", "down"));
  EXPECT_THAT(witness.why_down, HasSubstr(to_string(low.address)));
  EXPECT_TRUE(cluster->available());
  EXPECT_THAT(get(low_key), StartsWith("store_down"));
  EXPECT_EQ(get(high_key), "high");
  // Its replica takes its place.
  FakeRedis replica(driver.loop);
  use(replica, "+replica\r\n");
  map = "*2\r\n" + range(0, 8191, replica) + range(8192, 16383, high);
  ASSERT_TRUE(driver.until([&] { return witness.events.size() == 3; }));
  EXPECT_EQ(get(low_key), "replica");
  EXPECT_THAT(witness.events, ElementsAre("up", "down", "up"));
  cluster.reset();
}

TEST_F(ACluster, IsDownWhileSomeSlotsHaveNoMaster) {
  map = "*1\r\n" + range(0, 8191, low);
  start();
  EXPECT_THAT(witness.events, ElementsAre("down"));
  EXPECT_THAT(witness.why_down, HasSubstr("slots"));
  ASSERT_TRUE(driver.until([&] { return cluster->available(); }));
  EXPECT_EQ(get(low_key), "low");
  EXPECT_THAT(get(high_key), StartsWith("store_down"));
}

TEST_F(ACluster, IsDownWhenNobodyHasAMap) {
  low.script = [](const FakeRedis::Words&) {
    return "-ERR This instance has cluster support disabled\r\n";
  };
  start();
  EXPECT_THAT(witness.events, ElementsAre("down"));
  EXPECT_THAT(witness.why_down, HasSubstr("cluster support disabled"));
  EXPECT_FALSE(cluster->available());
  EXPECT_THAT(get(low_key), StartsWith("store_down"));
  use(low, "+low\r\n");
  ASSERT_TRUE(driver.until([&] { return witness.events.size() == 2; }));
  EXPECT_EQ(get(low_key), "low");
}

TEST_F(ACluster, WaitsNoLongerThanTheTimeOutForAMasterThatIsJustBeingMet) {
  settings.timeout = 100ms;
  start();
  FakeRedis silent(driver.loop);
  silent.script = [](const FakeRedis::Words&) { return ""; };
  use(high, moved_to(silent));
  const auto asked = driver.loop.now();
  EXPECT_THAT(get(high_key), testing::AnyOf(StartsWith("store_timeout"), StartsWith("store_down")));
  EXPECT_LT(driver.loop.now() - asked, 400ms);
  cluster.reset();
}

TEST_F(ACluster, CancelsWhatNobodyWaitsFor) {
  start();
  use(low, "");
  std::vector<Call> calls(3);
  for (Call& call : calls)
    begin(call, low_key);
  calls[1].pending.reset();
  cluster.reset();
  for (const Call& call : calls) {
    EXPECT_FALSE(call.done());
    EXPECT_FALSE(call.pending.active());
  }
}

}  // namespace
}  // namespace usher::routing::redis
