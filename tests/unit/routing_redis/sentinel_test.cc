// The master that Sentinels name, and how it is followed.

#include "routing/redis/sentinel_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/routing_redis/client_fixture.h"
#include "tests/unit/routing_redis/fake_redis.h"

namespace usher::routing::redis {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

conf::Endpoint endpoint_of(const FakeRedis& server) {
  return {.host = "127.0.0.1", .port = server.address.port(), .unix_path = {}};
}

std::string names(const FakeRedis& master) {
  const std::string port = std::to_string(master.address.port());
  return "*2\r\n$9\r\n127.0.0.1\r\n$" + std::to_string(port.size()) + "\r\n" + port + "\r\n";
}

class AClientBehindSentinels : public testing::Test, public ClientFixture {
 protected:
  AClientBehindSentinels() : ClientFixture(0) {
    settings.url.kind = conf::StoreKind::sentinel;
    settings.url.service = "mymaster";
    settings.url.servers = {endpoint_of(first), endpoint_of(second), endpoint_of(third)};
    for (FakeRedis* sentinel : {&first, &second, &third}) {
      sentinel->script = [this](const FakeRedis::Words& words) {
        return words[0] == "SENTINEL" ? names(master) : std::string();
      };
    }
  }
  ~AClientBehindSentinels() override { client.reset(); }

  FakeRedis first{driver.loop};
  FakeRedis second{driver.loop};
  FakeRedis third{driver.loop};
  FakeRedis master{driver.loop};
};

TEST_F(AClientBehindSentinels, AsksTheFirstAndGoesWhereItIsSent) {
  settings.url.password = "sesame";
  make();
  ASSERT_TRUE(up());
  EXPECT_THAT(first.commands[0], ElementsAre("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"));
  EXPECT_THAT(second.commands, SizeIs(0));
  EXPECT_THAT(master.commands[0], ElementsAre("AUTH", "sesame"));
}

TEST_F(AClientBehindSentinels, AsksTheNextWhenOneIsOfNoUseAndThenStaysWithIt) {
  first.closes_at_once = true;
  second.script = [](const FakeRedis::Words&) { return "*-1\r\n"; };
  make();
  ASSERT_TRUE(up());
  EXPECT_THAT(second.commands, SizeIs(1));
  EXPECT_THAT(third.commands, SizeIs(1));
  const int attempts = first.connections;
  driver.run_for(1050ms);
  master.close_all();
  ASSERT_TRUE(driver.until([&] { return third.commands.size() == 2; }));
  EXPECT_EQ(first.connections, attempts);
}

TEST_F(AClientBehindSentinels, DoesNotWaitLongForOneThatIsSilent) {
  first.script = [](const FakeRedis::Words&) { return ""; };
  make();
  const auto began = driver.loop.now();
  ASSERT_TRUE(up());
  EXPECT_LT(driver.loop.now() - began, 3s);
}

TEST_F(AClientBehindSentinels, TellsASentinelThePasswordOnlyWhenItAsks) {
  settings.url.password = "sesame";
  bool authenticated = false;
  first.script = [&](const FakeRedis::Words& words) -> std::string {
    if (words[0] == "AUTH") {
      authenticated = words[1] == "sesame";
      return "+OK\r\n";
    }
    return authenticated ? names(master) : "-NOAUTH Authentication required.\r\n";
  };
  make();
  ASSERT_TRUE(up());
  EXPECT_THAT(first.commands[1], ElementsAre("AUTH", "sesame"));
}

TEST_F(AClientBehindSentinels, FollowsAFailoverWhenItsMasterBecomesReadOnly) {
  make();
  ASSERT_TRUE(up());
  FakeRedis successor(driver.loop);
  for (FakeRedis* sentinel : {&first, &second, &third}) {
    sentinel->script = [&](const FakeRedis::Words&) { return names(successor); };
  }
  master.script = [](const FakeRedis::Words&) {
    return "-READONLY You can't write against a read only replica.\r\n";
  };
  EXPECT_THAT(ask({"SET", "k", "v"}), HasSubstr("READONLY"));
  ASSERT_TRUE(up());
  EXPECT_EQ(successor.connections, 1);
  client.reset();
}

TEST_F(AClientBehindSentinels, LeavesItsMasterAsSoonAsASentinelAnnouncesAnother) {
  make();
  ASSERT_TRUE(up());
  ASSERT_TRUE(driver.until([&] { return first.commands.size() == 2; }));
  EXPECT_THAT(first.commands[1], ElementsAre("SUBSCRIBE", "+switch-master"));
  first.write_all("*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n");
  driver.run_for(1050ms);
  FakeRedis successor(driver.loop);
  for (FakeRedis* sentinel : {&first, &second, &third}) {
    sentinel->script = [&](const FakeRedis::Words&) { return names(successor); };
  }
  const auto announce = [&](const std::string& service) {
    const std::string text = service + " 127.0.0.1 1 127.0.0.1 2";
    first.write_all("*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$" +
                    std::to_string(text.size()) + "\r\n" + text + "\r\n");
  };
  announce("another");
  driver.run_for(100ms);
  EXPECT_EQ(successor.connections, 0);
  announce("mymaster");
  ASSERT_TRUE(driver.until([&] { return successor.connections == 1; }));
  EXPECT_EQ(ask({"GET", "k"}), "(nil)");
  EXPECT_THAT(witness.events, ElementsAre("up"));
  client.reset();
}

TEST_F(AClientBehindSentinels, IsDownWhenNoneNamesAMasterAndSaysWhatTheLastOneSaid) {
  for (FakeRedis* sentinel : {&first, &second, &third}) {
    sentinel->script = [](const FakeRedis::Words&) { return "*-1\r\n"; };
  }
  make();
  ASSERT_TRUE(driver.until([&] { return !witness.events.empty(); }));
  EXPECT_THAT(witness.why_down, HasSubstr(to_string(third.address)));
  EXPECT_THAT(witness.why_down, HasSubstr("knows no master of this name"));
}

}  // namespace
}  // namespace usher::routing::redis
