// The client against a server that misbehaves.

#include "routing/redis/redis_client.h"

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
using testing::IsEmpty;
using testing::StartsWith;

// Longer than a connection must have lived for its end to pass for an idle one.
constexpr Duration settled = 1050ms;

struct Setting : ClientFixture {
  Setting() : ClientFixture(0), server(driver.loop) {
    settings.url.servers.front().port = server.address.port();
  }
  FakeRedis server;
};

class ARedisClient : public testing::Test, public Setting {
 protected:
  ~ARedisClient() override { client.reset(); }

  size_t sent(const std::string& name) const {
    return static_cast<size_t>(
        std::count_if(server.commands.begin(), server.commands.end(),
                      [&](const FakeRedis::Words& words) { return words[0] == name; }));
  }
  // Answers the probes of the client itself, and the calls as told.
  void answer_calls_with(std::string bytes) {
    server.script = [bytes](const FakeRedis::Words& words) {
      return words[0] == "PEXPIRE" ? ":0\r\n" : bytes;
    };
  }
  std::vector<std::string>& events() { return witness.events; }
};

TEST_F(ARedisClient, IsUpOnceTheServerHasAnsweredAndSaysSoOnce) {
  make();
  EXPECT_FALSE(client->available());
  ASSERT_TRUE(up());
  EXPECT_THAT(events(), ElementsAre("up"));
  EXPECT_THAT(server.commands, ElementsAre(ElementsAre("PEXPIRE", "usher:probe", "1")));
}

TEST_F(ARedisClient, AuthenticatesAndSelectsBeforeAnythingElse) {
  settings.url.user = "ada";
  settings.url.password = "p w";
  settings.url.database = 7;
  make();
  ASSERT_TRUE(up());
  EXPECT_THAT(server.commands,
              ElementsAre(ElementsAre("AUTH", "ada", "p w"), ElementsAre("SELECT", "7"),
                          ElementsAre("PEXPIRE", "usher:probe", "1")));
}

TEST_F(ARedisClient, AuthenticatesWithAPasswordAlone) {
  settings.url.password = "secret";
  make();
  ASSERT_TRUE(up());
  EXPECT_THAT(server.commands[0], ElementsAre("AUTH", "secret"));
}

TEST_F(ARedisClient, FailsCallsInALaterTurnWhileItIsNotConnected) {
  make();
  Call call;
  send(call, {"GET", "k"});
  EXPECT_FALSE(call.done());
  driver.until([&] { return call.done(); });
  EXPECT_THAT(call.text(), StartsWith("store_down"));
  EXPECT_EQ(sent("GET"), 0u);
}

TEST_F(ARedisClient, GivesEachCallItsOwnAnswer) {
  server.script = [](const FakeRedis::Words& words) { return "+" + words.back() + "\r\n"; };
  make();
  ASSERT_TRUE(up());
  std::vector<Call> calls(1000);
  for (size_t i = 0; i < calls.size(); ++i)
    send(calls[i], {"ECHO", std::to_string(i)});
  ASSERT_TRUE(driver.until([&] { return calls.back().done(); }));
  for (size_t i = 0; i < calls.size(); ++i)
    EXPECT_EQ(calls[i].text(), std::to_string(i));
  EXPECT_EQ(witness.calls, 1000);
  EXPECT_EQ(witness.failures, 0);
  EXPECT_GT(witness.last_round_trip.count(), 0);
}

TEST_F(ARedisClient, KeepsTheOrderWhenSomeHaveGone) {
  server.script = [](const FakeRedis::Words& words) { return "+" + words.back() + "\r\n"; };
  make();
  ASSERT_TRUE(up());
  std::vector<Call> calls(10);
  for (size_t i = 0; i < calls.size(); ++i)
    send(calls[i], {"ECHO", std::to_string(i)});
  for (const size_t gone : {0u, 4u, 8u})
    calls[gone].pending.reset();
  ASSERT_TRUE(driver.until([&] { return calls.back().done(); }));
  EXPECT_FALSE(calls[4].done());
  EXPECT_EQ(calls[5].text(), "5");
  EXPECT_EQ(calls[9].text(), "9");
}

TEST_F(ARedisClient, CancelsEverythingWhenItGoes) {
  server.script = [](const FakeRedis::Words& words) {
    return words[0] == "PEXPIRE" ? ":0\r\n" : "";
  };
  make();
  ASSERT_TRUE(up());
  std::vector<Call> calls(3);
  for (Call& call : calls)
    send(call, {"GET", "k"});
  client.reset();
  driver.run_for(300ms);
  for (const Call& call : calls) {
    EXPECT_FALSE(call.done());
    EXPECT_FALSE(call.pending.active());
  }
}

TEST_F(ARedisClient, ReadsAnswersThatComeInHalves) {
  answer_calls_with("");
  make();
  ASSERT_TRUE(up());
  Call call;
  send(call, {"GET", "k"});
  driver.until([&] { return sent("GET") == 1; });
  for (const char& byte : std::string("$7\r\n1 r1:80\r\n")) {
    EXPECT_FALSE(call.done());
    server.write_all({&byte, 1});
    driver.run_for(2ms);
  }
  driver.until([&] { return call.done(); });
  EXPECT_EQ(call.text(), "1 r1:80");
}

TEST_F(ARedisClient, TellsARefusalFromAnAnswer) {
  for (const char* refusal : {"OOM command not allowed when used memory > 'maxmemory'.",
                              "WRONGTYPE Operation against a key holding the wrong kind of value",
                              "MISCONF Redis is configured to save RDB snapshots, but …",
                              "NOSCRIPT No matching script.", "ERR unknown command"}) {
    answer_calls_with(std::string("-").append(refusal).append("\r\n"));
    if (!client) make();
    ASSERT_TRUE(up());
    EXPECT_EQ(ask({"GET", "k"}), std::string("store_error: ").append(refusal));
    EXPECT_TRUE(client->available());
  }
  EXPECT_THAT(events(), ElementsAre("up"));
}

TEST_F(ARedisClient, IsDownWhileTheServerLoadsAndAsksAgainOverTheSameConnection) {
  std::string state = "-LOADING Redis is loading the dataset in memory\r\n";
  server.script = [&](const FakeRedis::Words&) { return state; };
  make();
  ASSERT_TRUE(driver.until([&] { return !events().empty(); }));
  EXPECT_THAT(events(), ElementsAre("down"));
  EXPECT_THAT(witness.why_down, HasSubstr("LOADING"));
  EXPECT_THAT(ask({"GET", "k"}), StartsWith("store_down"));
  state = ":0\r\n";
  ASSERT_TRUE(up());
  EXPECT_THAT(events(), ElementsAre("down", "up"));
  EXPECT_EQ(server.connections, 1);
  EXPECT_EQ(sent("GET"), 0u);
}

TEST_F(ARedisClient, GoesDownWhenAServerThatServedBeginsToLoad) {
  make();
  ASSERT_TRUE(up());
  server.script = [](const FakeRedis::Words&) {
    return "-MASTERDOWN Link with MASTER is down\r\n";
  };
  EXPECT_THAT(ask({"GET", "k"}), StartsWith("store_error: MASTERDOWN"));
  EXPECT_FALSE(client->available());
  driver.run_for(1200ms);
  EXPECT_THAT(events(), ElementsAre("up", "down"));
  server.script = FakeRedis::obedient;
  ASSERT_TRUE(up());
  EXPECT_EQ(server.connections, 1);
}

TEST_F(ARedisClient, ConnectsAnewWhenTheServerHasBecomeReadOnly) {
  for (const char* refusal :
       {"-READONLY You can't write against a read only replica.\r\n",
        "-ERR Error running script (call to f_1): @user_script:3: -READONLY You can't write\r\n"}) {
    server.script = FakeRedis::obedient;
    if (!client) make();
    ASSERT_TRUE(up());
    const int before = server.connections;
    server.script = [&](const FakeRedis::Words&) { return std::string(refusal); };
    EXPECT_THAT(ask({"SET", "k", "v"}), StartsWith("store_error"));
    EXPECT_FALSE(client->available());
    ASSERT_TRUE(driver.until([&] { return server.connections >= before + 2; }));
    EXPECT_FALSE(client->available());
  }
  server.script = FakeRedis::obedient;
  ASSERT_TRUE(up());
  EXPECT_THAT(events(), ElementsAre("up", "down", "up", "down", "up"));
}

TEST_F(ARedisClient, StaysDownWhileItMayNotComeIn) {
  server.script = [](const FakeRedis::Words&) { return "-NOAUTH Authentication required.\r\n"; };
  make();
  driver.run_for(500ms);
  EXPECT_THAT(events(), ElementsAre("down"));
  EXPECT_THAT(witness.why_down, HasSubstr("NOAUTH"));
  EXPECT_GE(server.connections, 2);
  EXPECT_LE(server.connections, 8) << "it must not hammer";
  server.script = FakeRedis::obedient;
  EXPECT_TRUE(up());
}

TEST_F(ARedisClient, AnswersByTheDeadlineAndFailsAtOnceWhileSomethingIsOverdue) {
  answer_calls_with("");
  settings.timeout = 100ms;
  make();
  ASSERT_TRUE(up());
  const auto asked = driver.loop.now();
  EXPECT_THAT(ask({"GET", "a"}), StartsWith("store_timeout"));
  const auto waited = driver.loop.now() - asked;
  EXPECT_GE(waited, 99ms);
  EXPECT_LT(waited, 1s);
  EXPECT_FALSE(client->available());
  EXPECT_THAT(ask({"GET", "b"}), StartsWith("store_down"));
  EXPECT_EQ(sent("GET"), 1u);
  EXPECT_THAT(events(), ElementsAre("up", "down"));
  EXPECT_THAT(witness.failures, 2);
}

TEST_F(ARedisClient, DropsALateAnswerAndIsUpAgain) {
  answer_calls_with("");
  settings.timeout = 100ms;
  make();
  ASSERT_TRUE(up());
  std::vector<Call> calls(3);
  for (Call& call : calls)
    send(call, {"GET", "a"});
  ASSERT_TRUE(driver.until([&] { return calls[2].done(); }));
  server.write_all("+late\r\n+later\r\n");
  driver.run_for(20ms);
  EXPECT_FALSE(client->available()) << "one is still overdue";
  answer_calls_with("+fresh\r\n");
  server.write_all("+latest\r\n");
  ASSERT_TRUE(up());
  EXPECT_EQ(ask({"GET", "b"}), "fresh");
  EXPECT_THAT(events(), ElementsAre("up", "down", "up"));
  EXPECT_EQ(server.connections, 1);
}

TEST_F(ARedisClient, DropsAConnectionThatHasGoneSilent) {
  answer_calls_with("");
  settings.timeout = 50ms;
  make();
  ASSERT_TRUE(up());
  EXPECT_THAT(ask({"GET", "a"}), StartsWith("store_timeout"));
  const auto silent_since = driver.loop.now();
  ASSERT_TRUE(driver.until([&] { return server.connections == 2; }));
  EXPECT_GE(driver.loop.now() - silent_since, 1900ms);
  ASSERT_TRUE(up());
  EXPECT_THAT(events(), ElementsAre("up", "down", "up"));
}

TEST_F(ARedisClient, ComesBackWithoutAWordWhenTheServerClosesAnIdleConnection) {
  make();
  ASSERT_TRUE(up());
  driver.run_for(settled);
  server.close_all();
  ASSERT_TRUE(driver.until([&] { return server.connections == 2; }));
  EXPECT_EQ(ask({"GET", "k"}), "(nil)");
  EXPECT_THAT(events(), ElementsAre("up"));
}

TEST_F(ARedisClient, SendsOnceMoreWhatWasSentIntoAConnectionThatHadBeenClosed) {
  make();
  ASSERT_TRUE(up());
  driver.run_for(settled);
  server.close_all();
  std::vector<Call> calls(3);
  for (Call& call : calls)
    send(call, {"GET", "k"});
  calls[1].pending.reset();
  ASSERT_TRUE(driver.until([&] { return calls[2].done(); }));
  EXPECT_EQ(calls[0].text(), "(nil)");
  EXPECT_EQ(calls[2].text(), "(nil)");
  EXPECT_EQ(sent("GET"), 2u) << "nobody waits for the second";
  EXPECT_THAT(events(), ElementsAre("up"));
}

TEST_F(ARedisClient, SendsNothingAThirdTime) {
  make();
  ASSERT_TRUE(up());
  driver.run_for(settled);
  server.script = [&](const FakeRedis::Words& words) {
    if (words[0] == "POISON") server.close_all();
    return FakeRedis::obedient(words);
  };
  EXPECT_THAT(ask({"POISON"}), StartsWith("store_down"));
  EXPECT_EQ(sent("POISON"), 2u);
  EXPECT_THAT(events(), ElementsAre("up", "down"));
  EXPECT_TRUE(up());
}

TEST_F(ARedisClient, DoesNotSendAgainWhatWasPartlyAnswered) {
  answer_calls_with("$100\r\nhalf of an ans");
  make();
  ASSERT_TRUE(up());
  driver.run_for(settled);
  Call call;
  send(call, {"GET", "k"});
  driver.run_for(50ms);
  server.close_all();
  ASSERT_TRUE(driver.until([&] { return call.done(); }));
  EXPECT_THAT(call.text(), StartsWith("store_down"));
  EXPECT_EQ(sent("GET"), 1u);
  EXPECT_THAT(events(), ElementsAre("up", "down"));
}

TEST_F(ARedisClient, DoesNotHurryBackToAServerThatClosesAtOnce) {
  server.closes_at_once = true;
  make();
  driver.run_for(1000ms);
  EXPECT_THAT(events(), ElementsAre("down"));
  EXPECT_GE(server.connections, 3);
  EXPECT_LE(server.connections, 9);
  server.closes_at_once = false;
  EXPECT_TRUE(up());
}

TEST_F(ARedisClient, HangsUpOnAServerThatTalksNonsense) {
  for (const char* nonsense : {"HTTP/1.1 400 Bad Request\r\n\r\n", "$-9\r\n", "*99999999\r\n"}) {
    answer_calls_with(nonsense);
    if (!client) make();
    ASSERT_TRUE(up());
    EXPECT_THAT(ask({"GET", "k"}), StartsWith("store_down: bad reply"));
  }
}

TEST_F(ARedisClient, HangsUpOnAServerThatAnswersWithoutBeingAsked) {
  make();
  ASSERT_TRUE(up());
  server.write_all("+hello\r\n");
  ASSERT_TRUE(driver.until([&] { return events().size() == 3; }));
  EXPECT_THAT(events(), ElementsAre("up", "down", "up"));
}

TEST_F(ARedisClient, LetsOnlySoManyCommandsWait) {
  answer_calls_with("");
  settings.timeout = 10s;
  make();
  ASSERT_TRUE(up());
  std::vector<Call> calls(10'000);
  for (Call& call : calls)
    send(call, {"GET", "k"});
  EXPECT_THAT(ask({"GET", "k"}), StartsWith("store_down: too many"));
  EXPECT_TRUE(client->available());
}

TEST_F(ARedisClient, LetsAnAnswerAskTheNextQuestion) {
  make();
  ASSERT_TRUE(up());
  Pending second;
  bool done = false;
  Pending first = client->call("", {"GET", "a"}, [&](Result<Reply>) {
    second = client->call("", {"GET", "b"}, [&](Result<Reply>) { done = true; });
  });
  EXPECT_TRUE(driver.until([&] { return done; }));
}

TEST_F(ARedisClient, ResolvesANameAtEveryAttempt) {
  settings.url.servers.front().host = "localhost";
  make();
  EXPECT_TRUE(up());
  client.reset();

  settings.url.servers.front().host = "no-such-host.invalid";
  make();
  ASSERT_TRUE(driver.until([&] { return events().size() == 2; }));
  EXPECT_THAT(events(), ElementsAre("up", "down"));
  EXPECT_THAT(witness.why_down, HasSubstr("no-such-host.invalid"));
}

TEST_F(ARedisClient, IsDownWhenThereIsNoUnixSocket) {
  settings.url.servers.front() = {.host = {}, .port = 0, .unix_path = "/nowhere/redis.sock"};
  make();
  ASSERT_TRUE(driver.until([&] { return !events().empty(); }));
  EXPECT_THAT(events(), ElementsAre("down"));
}

// A finder that says what it is told, as Sentinels do.
class ToldFinder final : public ServerFinder, private PendingAnswer {
 public:
  ToldFinder(net::Loop& loop, std::vector<SocketAddress>& addresses)
      : addresses_(addresses), soon_(loop, *this) {}
  Pending find(Found found) override {
    found_ = std::move(found);
    soon_.start(0ms);
    return Pending(*this);
  }

 private:
  void cancel() noexcept override { soon_.stop(); }
  void answer() {
    finished();
    found_(name_all(addresses_, "redis.example"));
  }

  std::vector<SocketAddress>& addresses_;
  Found found_;
  net::Timer<&ToldFinder::answer> soon_;
};

TEST_F(ARedisClient, TriesEveryAddressAndAsksAgainWhereTheServerIs) {
  const auto nobody = *SocketAddress::from_ip("127.0.0.1", 1);
  std::vector<SocketAddress> addresses{nobody, nobody, server.address};
  client.emplace(access(), std::make_unique<ToldFinder>(driver.loop, addresses),
                 RedisClient::Role::alone, witness);
  ASSERT_TRUE(up());
  EXPECT_THAT(events(), ElementsAre("up")) << "a refusal is no news while there are addresses";

  FakeRedis successor(driver.loop);
  addresses = {successor.address};
  server.script = [](const FakeRedis::Words&) { return "-READONLY no\r\n"; };
  (void)ask({"SET", "k", "v"});
  ASSERT_TRUE(up());
  EXPECT_EQ(successor.connections, 1);

  addresses.clear();
  successor.close_all();
  ASSERT_TRUE(driver.until([&] { return events().back() == "down"; }));
}

TEST_F(ARedisClient, AsksAnIdleServerNowAndThen) {
  make();
  ASSERT_TRUE(up());
  EXPECT_EQ(ask({"GET", "k"}), "(nil)");
  driver.run_for(200ms);
  EXPECT_EQ(sent("PEXPIRE"), 1u) << "but not all the time";
}

}  // namespace
}  // namespace usher::routing::redis
