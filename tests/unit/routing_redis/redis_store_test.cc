// The store on a real redis-server.

#include "routing/redis/redis_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "routing/redis/announcements.h"
#include "routing/redis/store_watcher.h"
#include "tests/unit/routing_redis/client_fixture.h"
#include "tests/unit/routing_redis/real_redis.h"

namespace usher::routing::redis {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

struct ValueRow {
  std::string value;
  std::optional<Binding> binding;
};

const ValueRow value_rows[] = {
    {"1 10.0.0.1:8080", Binding{"10.0.0.1:8080", 1}},
    {"999999999999999 r", Binding{"r", 999'999'999'999'999}},
    {"007 r", Binding{"r", 7}},
    {"2 unix:/run/a b.sock", Binding{"unix:/run/a b.sock", 2}},
    {"1 " + std::string(298, 'r'), Binding{std::string(298, 'r'), 1}},
    {"", {}},
    {"1", {}},
    {"1 ", {}},
    {" r", {}},
    {"r 1", {}},
    {"0 r", {}},
    {"-1 r", {}},
    {"+1 r", {}},
    {"1x r", {}},
    {"1\tr", {}},
    {"0x1 r", {}},
    {"1e2 r", {}},
    {"1000000000000000 r", {}},
    {"99999999999999999999 r", {}},
    {"1 " + std::string(299, 'r'), {}},
};

TEST(ParseBinding, TakesWhatTheTableSays) {
  for (const ValueRow& row : value_rows)
    EXPECT_EQ(parse_binding(row.value), row.binding) << row.value;
}

// One client of the server, with a store on top.
struct Member : ClientFixture {
  explicit Member(const RealRedis& server) : ClientFixture(server.port()) {
    settings.timeout = 2s;  // the machine may be slow; what must be late is frozen
  }
  bool join() {
    make();
    store.emplace(*client, settings.prefix);
    return up();
  }
  std::string find(std::string_view key) {
    std::optional<Result<std::optional<Binding>>> found;
    Pending pending = store->find(key, [&](auto result) { found = std::move(result); });
    driver.until([&] { return found.has_value(); });
    if (!*found) return to_string(found->error());
    return **found ? shown(***found) : "(none)";
  }
  std::string challenge(std::string_view token) {
    std::optional<Result<std::optional<std::string>>> found;
    Pending pending = store->find_challenge(token, [&](auto result) { found = std::move(result); });
    driver.until([&] { return found.has_value(); });
    if (!*found) return to_string(found->error());
    return (**found).value_or("(none)");
  }
  // An error's text; empty: done.
  std::string keep_challenge(std::string_view token, std::string_view answer, Duration ttl = 60s) {
    std::optional<Outcome> kept;
    Pending pending =
        store->keep_challenge(token, answer, ttl, [&](auto outcome) { kept = std::move(outcome); });
    driver.until([&] { return kept.has_value(); });
    return *kept ? "" : to_string(kept->error());
  }
  std::string drop_challenge(std::string_view token) {
    std::optional<Outcome> dropped;
    Pending pending =
        store->drop_challenge(token, [&](auto outcome) { dropped = std::move(outcome); });
    driver.until([&] { return dropped.has_value(); });
    return *dropped ? "" : to_string(dropped->error());
  }
  std::string claim(std::string_view key, Binding proposal, Duration ttl = 60s) {
    std::optional<Result<Binding>> winner;
    Pending pending = store->claim(key, std::move(proposal), ttl,
                                   [&](auto result) { winner = std::move(result); });
    driver.until([&] { return winner.has_value(); });
    return *winner ? shown(**winner) : to_string(winner->error());
  }
  // The ring's text, with the times taken from its newest secret's.
  std::string agree(const SecretRing& known, std::string_view fresh, const RingRules& rules = calm,
                    bool rotate = false) {
    std::optional<Result<AgreedRing>> agreed;
    Pending pending = store->agree_on_ring("secret", known, fresh, rules, rotate, WallTime(1h),
                                           [&](auto result) { agreed = std::move(result); });
    driver.until([&] { return agreed.has_value(); });
    if (!*agreed) return to_string(agreed->error());
    server_time = (*agreed)->now;
    ring = (*agreed)->ring;
    std::string secrets;
    for (const auto& entry : ring.entries())
      secrets.append(secrets.empty() ? "" : " ").append(entry.secret);
    return secrets;
  }
  static constexpr RingRules calm{.rotate_after = 24h, .keep = 48h, .life = 60s};
  SecretRing ring;
  WallTime server_time;
  long ttl_of(std::string_view key) { return std::stol(ask({"PTTL", key})); }

  static std::string shown(const Binding& binding) {
    return std::to_string(binding.epoch).append(" ").append(binding.replica);
  }

  std::optional<RedisStore> store;
};

class ARedisStore : public testing::Test {
 protected:
  void SetUp() override {
    if (!RealRedis::is_installed()) GTEST_SKIP() << "no redis-server here";
    ASSERT_TRUE(server_.start());
    member_.emplace(server_);
    ASSERT_TRUE(member_->join());
  }

  RealRedis server_;
  std::optional<Member> member_;
};

TEST_F(ARedisStore, KeepsTheBindingWithTheHigherEpoch) {
  EXPECT_EQ(member_->find("client:a"), "(none)");
  EXPECT_EQ(member_->claim("client:a", {"r1", 1}), "1 r1");
  EXPECT_EQ(member_->claim("client:a", {"r2", 1}), "1 r1");
  EXPECT_EQ(member_->claim("client:a", {"r2", 2}), "2 r2");
  EXPECT_EQ(member_->claim("client:a", {"r3", 1}), "2 r2");
  EXPECT_EQ(member_->claim("client:a", {"r10", 10}), "10 r10") << "numbers, not texts";
  EXPECT_EQ(member_->claim("client:a", {"r9", 9}), "10 r10");
  EXPECT_EQ(member_->find("client:a"), "10 r10");
}

TEST_F(ARedisStore, UsesTheKeysThatTheDocumentationNames) {
  (void)member_->claim("client:a", {"10.0.0.1:8080", 3});
  (void)member_->claim("sid:s", {"10.0.0.2:8080", 1});
  (void)member_->agree(SecretRing("secret"), "fresh");
  EXPECT_EQ(member_->ask({"GET", "usher:client:a"}), "3 10.0.0.1:8080");
  EXPECT_EQ(member_->ask({"GET", "usher:sid:s"}), "1 10.0.0.2:8080");
  EXPECT_EQ(member_->ask({"GET", "usher:secret"}), member_->ring.to_text());
  EXPECT_EQ(member_->ask({"DBSIZE"}), "3");
}

TEST_F(ARedisStore, KeepsChallengesForAWhileAndForEverybody) {
  Member other(server_);
  ASSERT_TRUE(other.join());
  EXPECT_EQ(other.challenge("token"), "(none)");
  EXPECT_EQ(member_->keep_challenge("token", "token.1"), "");
  EXPECT_EQ(member_->keep_challenge("token", "token.2"), "");
  EXPECT_EQ(other.challenge("token"), "token.2");
  EXPECT_EQ(member_->ask({"GET", "usher:acme:token"}), "token.2");
  EXPECT_GT(member_->ttl_of("usher:acme:token"), 50'000);
  EXPECT_LE(member_->ttl_of("usher:acme:token"), 60'000);
  EXPECT_EQ(other.drop_challenge("token"), "");
  EXPECT_EQ(other.drop_challenge("token"), "");
  EXPECT_EQ(member_->challenge("token"), "(none)");
  server_.stop();
  ASSERT_TRUE(member_->down());
  EXPECT_THAT(member_->challenge("token"), StartsWith("store_down"));
  EXPECT_THAT(member_->keep_challenge("token", "token.1"), StartsWith("store_down"));
}

TEST_F(ARedisStore, GivesEveryKeyALifeAndProlongsItByClaims) {
  (void)member_->claim("client:a", {"r1", 1}, 60s);
  EXPECT_GT(member_->ttl_of("usher:client:a"), 50'000);
  EXPECT_LE(member_->ttl_of("usher:client:a"), 60'000);
  (void)member_->claim("client:a", {"r2", 1}, 100s);
  EXPECT_GT(member_->ttl_of("usher:client:a"), 60'000);
  (void)member_->find("client:a");
  EXPECT_LE(member_->ttl_of("usher:client:a"), 100'000);
  (void)member_->ask({"PERSIST", "usher:client:a"});
  (void)member_->claim("client:a", {"r2", 1}, 100s);
  EXPECT_GT(member_->ttl_of("usher:client:a"), 0);
}

TEST_F(ARedisStore, LetsABindingDieWithItsTime) {
  (void)member_->claim("client:a", {"r1", 5}, 20ms);
  EXPECT_EQ(member_->ask({"PTTL", "usher:client:b"}), "-2");
  for (int i = 0; i < 200 && member_->find("client:a") != "(none)"; ++i) {
    member_->driver.run_for(5ms);
  }
  EXPECT_EQ(member_->find("client:a"), "(none)");
}

TEST_F(ARedisStore, ReplacesWhatIsNoBinding) {
  for (const ValueRow& row : value_rows) {
    (void)member_->ask({"SET", "usher:client:a", row.value});
    const std::string expected = row.binding ? Member::shown(*row.binding) : "(none)";
    EXPECT_EQ(member_->find("client:a"), expected) << row.value;
    EXPECT_EQ(member_->claim("client:a", {"r", 1}), row.binding ? expected : "1 r") << row.value;
  }
}

TEST_F(ARedisStore, ReplacesAKeyOfTheWrongType) {
  const auto spoil = [&](std::string_view key) {
    (void)member_->ask({"DEL", key});
    (void)member_->ask({"LPUSH", key, "x"});
  };
  spoil("usher:client:a");
  EXPECT_EQ(member_->find("client:a"), "(none)");
  EXPECT_EQ(member_->claim("client:a", {"r1", 1}), "1 r1");
  spoil("usher:secret");
  EXPECT_EQ(member_->agree(SecretRing("mine"), "fresh"), "mine");
  EXPECT_EQ(member_->agree(SecretRing("other"), "fresh"), "mine");
  EXPECT_TRUE(member_->client->available());
}

TEST_F(ARedisStore, AgreesOnTheRingOfWhoeverCameFirst) {
  Member other(server_);
  ASSERT_TRUE(other.join());
  EXPECT_EQ(member_->agree(SecretRing("first"), "fresh"), "first");
  EXPECT_LT(std::chrono::abs(std::chrono::system_clock::now() - member_->server_time), 1h);
  EXPECT_EQ(member_->ring.entries().front().made, member_->server_time) << "nobody knew its age";
  RingRules longer = Member::calm;
  longer.life = 100s;
  EXPECT_EQ(other.agree(SecretRing("second"), "fresh", longer), "first");
  EXPECT_GT(member_->ttl_of("usher:secret"), 60'000);
  // With nothing known anywhere it is the fresh one; with rubbish under the key too.
  (void)member_->ask({"DEL", "usher:secret"});
  EXPECT_EQ(member_->agree(SecretRing(), "fresh"), "fresh");
  (void)member_->ask({"SET", "usher:secret", "rubbish"});
  EXPECT_EQ(member_->agree(SecretRing("mine"), "fresh"), "mine");
  (void)member_->ask({"DEL", "usher:secret"});
  (void)member_->ask({"LPUSH", "usher:secret", "rubbish"});
  EXPECT_EQ(member_->agree(SecretRing("mine"), "fresh"), "mine");
}

TEST_F(ARedisStore, RotatesARingWhenItIsTimeOnceForAll) {
  Member other(server_);
  ASSERT_TRUE(other.join());
  const RingRules due{.rotate_after = 60ms, .keep = 1h, .life = 60s};
  EXPECT_EQ(member_->agree(SecretRing("first"), "a", due), "first");
  member_->driver.run_for(80ms);
  EXPECT_EQ(member_->agree(member_->ring, "b", due), "b first");
  EXPECT_EQ(other.agree(SecretRing("other"), "c", due), "b first");
  EXPECT_EQ(other.agree(other.ring, "c", Member::calm, true), "c b first") << "on command";
  EXPECT_EQ(member_->agree(SecretRing(), "d"), "c b first");
  // A store that lost its data is told all of it again, with the times.
  const SecretRing before = member_->ring;
  (void)member_->ask({"FLUSHALL"});
  EXPECT_EQ(member_->agree(before, "d"), "c b first");
  EXPECT_EQ(member_->ring, before);
}

TEST_F(ARedisStore, LosesNoSecretThoughAnotherNodeBeganAnewAfterALoss) {
  Member other(server_);
  ASSERT_TRUE(other.join());
  EXPECT_EQ(member_->agree(SecretRing("first"), "a"), "first");
  (void)member_->ask({"FLUSHALL"});
  member_->driver.run_for(5ms);
  EXPECT_EQ(other.agree(SecretRing("second"), "b"), "second");
  EXPECT_EQ(member_->agree(member_->ring, "c"), "second first");
  EXPECT_EQ(other.agree(other.ring, "d"), "second first");
}

TEST_F(ARedisStore, ForgetsASecretWhoseSuccessorIsOldEnough) {
  const RingRules rules{.rotate_after = 0ms, .keep = 60ms, .life = 60s};
  EXPECT_EQ(member_->agree(SecretRing("a"), "b", rules, true), "b a");
  member_->driver.run_for(80ms);
  EXPECT_EQ(member_->agree(member_->ring, "c", rules), "b") << "the newest stays, however old";
  for (int i = 0; i < 12; ++i)
    (void)member_->agree(member_->ring, "s" + std::to_string(i), Member::calm, true);
  EXPECT_EQ(member_->ring.entries().size(), SecretRing::most);
  EXPECT_EQ(member_->ring.entries().front().secret, "s11");
}

TEST_F(ARedisStore, LetsTwoNodesAgreeWhateverTheOrder) {
  Member other(server_);
  ASSERT_TRUE(other.join());
  for (int i = 0; i < 50; ++i) {
    const std::string key = std::string("client:").append(std::to_string(i));
    Member& first = i % 2 == 0 ? *member_ : other;
    Member& second = i % 2 == 0 ? other : *member_;
    const std::string winner = first.claim(key, {i % 2 == 0 ? "here" : "there", 2});
    EXPECT_EQ(second.claim(key, {"late", 2}), winner);
    EXPECT_EQ(first.find(key), winner);
  }
}

TEST_F(ARedisStore, KeepsToItsPrefixAndDatabase) {
  Member other(server_);
  other.settings.prefix = "front door";
  other.settings.url.database = 3;
  ASSERT_TRUE(other.join());
  (void)other.claim("client:a", {"r1", 1});
  EXPECT_EQ(member_->find("client:a"), "(none)");
  EXPECT_EQ(other.ask({"KEYS", "*"}), "(array)");
  EXPECT_EQ(other.ask({"GET", "front door:client:a"}), "1 r1");
  EXPECT_EQ(member_->ask({"DBSIZE"}), "0");
}

TEST_F(ARedisStore, ServesOnWhenItsMemoryIsFull) {
  (void)member_->claim("client:a", {"r1", 1});
  (void)member_->ask({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_THAT(member_->claim("client:b", {"r1", 1}), StartsWith("store_error: OOM"));
  EXPECT_EQ(member_->find("client:a"), "1 r1");
  EXPECT_TRUE(member_->client->available());
  (void)member_->ask({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(member_->claim("client:b", {"r1", 1}), "1 r1");
  EXPECT_THAT(member_->witness.events, ElementsAre("up"));
}

TEST_F(ARedisStore, IsDownWhileItsServerIsAReplica) {
  (void)member_->ask({"REPLICAOF", "127.0.0.1", "1"});
  EXPECT_THAT(member_->claim("client:b", {"r1", 1}), HasSubstr("READONLY"));
  EXPECT_FALSE(member_->client->available());
  Member admin(server_);
  admin.make();
  ASSERT_TRUE(admin.driver.until([&] { return !admin.witness.events.empty(); }));
  EXPECT_THAT(admin.witness.why_down, HasSubstr("READONLY"));
  EXPECT_EQ(std::system(
                ("redis-cli -p " + std::to_string(server_.port()) + " replicaof no one >/dev/null")
                    .c_str()),
            0);
  ASSERT_TRUE(member_->up());
  EXPECT_EQ(member_->claim("client:b", {"r1", 1}), "1 r1");
  EXPECT_THAT(member_->witness.events, ElementsAre("up", "down", "up"));
}

TEST_F(ARedisStore, ComesBackAfterARestartThatLostEverything) {
  (void)member_->claim("client:a", {"r1", 1});
  server_.stop();
  ASSERT_TRUE(member_->down());
  EXPECT_THAT(member_->claim("client:a", {"r1", 1}), StartsWith("store_down"));
  member_->driver.run_for(300ms);
  ASSERT_TRUE(server_.start());
  ASSERT_TRUE(member_->up());
  EXPECT_EQ(member_->find("client:a"), "(none)");
  EXPECT_EQ(member_->claim("client:a", {"r1", 1}), "1 r1");
  EXPECT_THAT(member_->witness.events, ElementsAre("up", "down", "up"));
}

TEST_F(ARedisStore, WaitsOnceForAFrozenServerAndCatchesUpWhenItThaws) {
  member_->settings.timeout = 250ms;
  ASSERT_TRUE(member_->join());
  member_->witness.events.clear();
  server_.freeze();
  const auto asked = member_->driver.loop.now();
  EXPECT_THAT(member_->claim("client:a", {"r1", 1}), StartsWith("store_timeout"));
  EXPECT_LT(member_->driver.loop.now() - asked, 500ms);
  const auto again = member_->driver.loop.now();
  EXPECT_THAT(member_->claim("client:a", {"r2", 1}), StartsWith("store_down"));
  EXPECT_LT(member_->driver.loop.now() - again, 100ms);
  server_.thaw();
  ASSERT_TRUE(member_->up());
  EXPECT_EQ(member_->find("client:a"), "1 r1") << "the late claim was carried out";
  EXPECT_THAT(member_->witness.events, ElementsAre("down", "up"));
}

TEST_F(ARedisStore, DoesNotNoticeThatTheServerHasCutIt) {
  member_->driver.run_for(1050ms);
  const std::string kill =
      "redis-cli -p " + std::to_string(server_.port()) + " client kill type normal >/dev/null";
  ASSERT_EQ(std::system(kill.c_str()), 0);
  EXPECT_EQ(member_->claim("client:a", {"r1", 1}), "1 r1");
  member_->driver.run_for(1050ms);
  ASSERT_EQ(std::system(kill.c_str()), 0);
  member_->driver.run_for(100ms);
  EXPECT_EQ(member_->find("client:a"), "1 r1");
  EXPECT_THAT(member_->witness.events, ElementsAre("up"));
}

// --- Announcements
// -------------------------------------------------------------------------------

// One that listens to what members of its fleet announce.
struct Ear {
  explicit Ear(Member& member)
      : announcements(
            member.access(), log,
            [this](std::vector<Moved> moved) {
              for (Moved& each : moved)
                heard.push_back(each.key + " " + std::to_string(each.binding.epoch) + " " +
                                each.binding.replica);
            },
            [this] { ++doubts; }) {}

  const Log log{-1};
  std::vector<std::string> heard;
  int doubts = 0;
  Announcements announcements;
};

TEST_F(ARedisStore, AnnouncesMovesAndNothingElse) {
  Ear ear(*member_);
  ASSERT_TRUE(member_->driver.until([&] { return ear.announcements.listening(); }));
  EXPECT_EQ(ear.doubts, 1);
  (void)member_->claim("client:a", {"r1", 1});
  (void)member_->claim("client:a", {"r1", 1});
  (void)member_->claim("client:a", {"r2:80", 2});
  (void)member_->claim("client:a", {"r3", 2});
  (void)member_->claim("client:a", {"r3", 1});
  (void)member_->claim("client:b", {"r1", 1});
  (void)member_->claim("client:a", {"r3", 3});
  ASSERT_TRUE(member_->driver.until([&] { return ear.heard.size() >= 2; }));
  member_->driver.run_for(50ms);
  EXPECT_THAT(ear.heard, testing::ElementsAre("client:a 2 r2:80", "client:a 3 r3"));
}

TEST_F(ARedisStore, SaysWhenAnnouncementsMayHaveBeenMissed) {
  Ear ear(*member_);
  ASSERT_TRUE(member_->driver.until([&] { return ear.announcements.listening(); }));
  server_.stop();
  ASSERT_TRUE(member_->driver.until([&] { return ear.doubts == 2; }));
  EXPECT_FALSE(ear.announcements.listening());
  ASSERT_TRUE(server_.start());
  ASSERT_TRUE(member_->driver.until([&] { return ear.doubts == 3; }));
  EXPECT_TRUE(ear.announcements.listening());
  ASSERT_TRUE(member_->up());
  (void)member_->claim("client:a", {"r2", 2});
  EXPECT_TRUE(member_->driver.until([&] { return !ear.heard.empty(); }));
}

TEST(ARedisStoreThatMayNotPublish, MovesAllTheSame) {
  if (!RealRedis::is_installed()) GTEST_SKIP() << "no redis-server here";
  RealRedis server({"--user", "ada", "on", ">ada", "resetchannels", "~usher:*", "+get", "+set",
                    "+pexpire", "+eval"});
  ASSERT_TRUE(server.start());
  Member member(server);
  member.settings.url.user = "ada";
  member.settings.url.password = "ada";
  ASSERT_TRUE(member.join());
  EXPECT_EQ(member.claim("client:a", {"r1", 2}), "2 r1");
  Ear ear(member);
  ASSERT_TRUE(member.driver.until([&] { return ear.doubts == 1; }));
  EXPECT_FALSE(ear.announcements.listening());
}

TEST(ARedisStoreWithAPassword, IsUpOnlyForThoseWhoKnowIt) {
  if (!RealRedis::is_installed()) GTEST_SKIP() << "no redis-server here";
  RealRedis server({"--requirepass", "p w", "--user", "ada", "on", ">lovelace", "~usher:*", "+get",
                    "+set", "+pexpire", "+eval", "+select"});
  ASSERT_TRUE(server.start());

  struct Row {
    const char* user;
    const char* password;
    const char* why_down;  // nullptr: it is up
  };
  for (const Row& row :
       {Row{"", "p w", nullptr}, Row{"ada", "lovelace", nullptr}, Row{"", "wrong", "WRONGPASS"},
        Row{"ada", "p w", "WRONGPASS"}, Row{"", "", "NOAUTH"}}) {
    Member member(server);
    member.settings.url.user = row.user;
    member.settings.url.password = row.password;
    member.settings.url.database = 1;
    member.make();
    member.store.emplace(*member.client, "usher");
    ASSERT_TRUE(member.driver.until([&] { return !member.witness.events.empty(); }));
    if (row.why_down) {
      EXPECT_THAT(member.witness.why_down, HasSubstr(row.why_down));
      EXPECT_THAT(member.witness.why_down, testing::Not(HasSubstr("lovelace")));
    } else {
      EXPECT_EQ(member.claim("client:a", {"r1", 1}), "1 r1");
    }
  }
}

TEST(ARedisStoreWithoutRights, FailsAndSaysWhy) {
  if (!RealRedis::is_installed()) GTEST_SKIP() << "no redis-server here";
  RealRedis server({"--user", "eve", "on", ">eve", "~other:*", "+@all"});
  ASSERT_TRUE(server.start());
  Member member(server);
  member.settings.url.user = "eve";
  member.settings.url.password = "eve";
  member.make();
  ASSERT_TRUE(member.driver.until([&] { return !member.witness.events.empty(); }));
  EXPECT_THAT(member.witness.why_down, HasSubstr("NOPERM"));
}

TEST(ARedisStoreWithFewConnections, IsDownWhenThereIsNoneLeft) {
  if (!RealRedis::is_installed()) GTEST_SKIP() << "no redis-server here";
  RealRedis server({"--maxclients", "1"});
  ASSERT_TRUE(server.start());
  std::optional<Member> first(std::in_place, server);
  ASSERT_TRUE(first->join());
  Member second(server);
  second.make();
  ASSERT_TRUE(second.driver.until([&] { return !second.witness.events.empty(); }));
  EXPECT_THAT(second.witness.why_down, HasSubstr("max number of clients"));
  first.reset();
  EXPECT_TRUE(second.up());
}

TEST(ARedisStoreOnAUnixSocket, IsFound) {
  if (!RealRedis::is_installed()) GTEST_SKIP() << "no redis-server here";
  char folder[] = "/tmp/usher-redis-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/redis.sock";
  {
    RealRedis server({"--unixsocket", path});
    ASSERT_TRUE(server.start());
    Member member(server);
    member.settings.url.servers.front() = {.host = {}, .port = 0, .unix_path = path};
    EXPECT_TRUE(member.join());
    EXPECT_EQ(member.claim("client:a", {"r1", 1}), "1 r1");
  }
  ::unlink(path.c_str());
  ::rmdir(folder);
}

TEST(StoreWatcher, TellsTheProcessWhatItsClientSees) {
  const Log log(-1);
  StoreStatus status(log, "redis://test");
  {
    StoreWatcher watcher(status);
    EXPECT_EQ(status.state(), StoreState::unknown);
    watcher.on_store_up();
    EXPECT_EQ(status.state(), StoreState::up);
    watcher.on_store_down({Errc::store_down, Side::store, "gone"});
    EXPECT_EQ(status.state(), StoreState::down);
    watcher.on_store_call(nullptr, 5us);
    EXPECT_EQ(status.calls(), 1u);
  }
  EXPECT_EQ(status.state(), StoreState::unknown);
}

}  // namespace
}  // namespace usher::routing::redis
