#include "routing/memory_store.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/routing/fleet.h"

namespace usher::routing {
namespace {

using namespace std::chrono_literals;

TEST(MemoryTable, KeepsTheBindingWithTheHigherEpoch) {
  ManualClock clock;
  MemoryTable table(clock);
  EXPECT_EQ(table.find("k"), std::nullopt);
  EXPECT_EQ(table.claim("k", {"r1", 1}, 1h), (Binding{"r1", 1}));
  EXPECT_EQ(table.claim("k", {"r2", 1}, 1h), (Binding{"r1", 1}));
  EXPECT_EQ(table.claim("k", {"r2", 2}, 1h), (Binding{"r2", 2}));
  EXPECT_EQ(table.claim("k", {"r3", 1}, 1h), (Binding{"r2", 2}));
  EXPECT_EQ(table.find("k"), (Binding{"r2", 2}));
  EXPECT_EQ(table.size(), 1u);
}

TEST(MemoryTable, ForgetsABindingWhenItsTimeIsOver) {
  ManualClock clock;
  MemoryTable table(clock);
  (void)table.claim("k", {"r1", 5}, 60s);
  clock.advance(59s);
  EXPECT_EQ(table.find("k"), (Binding{"r1", 5}));
  clock.advance(1s);
  EXPECT_EQ(table.find("k"), std::nullopt);
  EXPECT_EQ(table.size(), 0u);
}

TEST(MemoryTable, ProlongsALifeByAClaimAndNotByAFind) {
  ManualClock clock;
  MemoryTable table(clock);
  (void)table.claim("k", {"r1", 1}, 60s);
  clock.advance(40s);
  EXPECT_EQ(table.claim("k", {"r2", 1}, 60s), (Binding{"r1", 1}));
  clock.advance(40s);
  EXPECT_TRUE(table.find("k"));
  clock.advance(20s);
  EXPECT_FALSE(table.find("k"));
}

TEST(MemoryTable, LetsALowEpochReplaceWhatHasExpired) {
  ManualClock clock;
  MemoryTable table(clock);
  (void)table.claim("k", {"r1", 9}, 60s);
  clock.advance(61s);
  EXPECT_EQ(table.claim("k", {"r2", 1}, 60s), (Binding{"r2", 1}));
}

TEST(MemoryTable, DropsTheLeastRecentlyUsedWhenItIsFull) {
  ManualClock clock;
  MemoryTable table(clock, 700);  // three small ones
  (void)table.claim("a", {"r1", 1}, 1h);
  (void)table.claim("b", {"r1", 1}, 1h);
  (void)table.claim("c", {"r1", 1}, 1h);
  (void)table.find("a");
  (void)table.claim("d", {"r1", 1}, 1h);
  EXPECT_EQ(table.size(), 3u);
  EXPECT_TRUE(table.find("a"));
  EXPECT_FALSE(table.find("b"));
  EXPECT_TRUE(table.find("c"));
  EXPECT_TRUE(table.find("d"));
}

TEST(MemoryTable, TakesNoMoreMemoryThanItMay) {
  ManualClock clock;
  MemoryTable table(clock, 1024 * 1024);
  for (size_t i = 0; i < 20'000; ++i)
    (void)table.claim(numbered("client:AAAAAAAAAAAAAAAAA", i), {"192.0.2.1:8080", 2}, 24h);
  EXPECT_GT(table.size(), 3'900u);
  EXPECT_LT(table.size(), 5'000u);
  // Longer ones count for more, also when they come in the place of short ones.
  const std::string long_id = "unix:/" + std::string(100, 'x');
  for (size_t i = 0; i < 20'000; ++i)
    (void)table.claim(numbered("client:AAAAAAAAAAAAAAAAA", i), {long_id, 3}, 24h);
  EXPECT_LT(table.size(), 3'500u);
}

TEST(MemoryTable, GivesBackWhatIsOver) {
  ManualClock clock;
  MemoryTable table(clock);
  for (size_t i = 0; i < 1000; ++i)
    (void)table.claim(numbered("sid:", i), {"r1", 1}, 10min);
  clock.advance(11min);
  for (size_t i = 0; i < 500; ++i)
    (void)table.claim(numbered("client:", i), {"r1", 2}, 24h);
  EXPECT_EQ(table.size(), 500u) << "two for each that came";
}

TEST(MemoryTable, LetsWorkersAgreeOnOneWinner) {
  const SystemClock clock;
  MemoryTable table(clock);
  std::vector<Binding> winners(4);
  std::vector<std::thread> workers;
  for (size_t i = 0; i < winners.size(); ++i) {
    workers.emplace_back([&, i] {
      for (size_t k = 0; k < 200; ++k) {
        const auto winner = table.claim(numbered("k", k), {numbered("r", i), 1}, 1h);
        if (k == 199) winners[i] = winner;
      }
    });
  }
  for (std::thread& worker : workers)
    worker.join();
  for (const Binding& winner : winners)
    EXPECT_EQ(winner, winners.front());
  EXPECT_EQ(table.size(), 200u);
}

class AMemoryStore : public testing::Test {
 protected:
  ManualClock clock_;
  MemoryTable table_{clock_};
  ChallengeTable challenges_{clock_};
  Turns turns_;
  MemoryStore store_{table_, challenges_, turns_};
};

TEST_F(AMemoryStore, AnswersInALaterTurn) {
  std::optional<Binding> winner;
  std::optional<Binding> found;
  Pending claim =
      store_.claim("k", {"r1", 1}, 1h, [&](Result<Binding> binding) { winner = *binding; });
  Pending find = store_.find("k", [&](auto binding) { found = *binding; });
  EXPECT_EQ(winner, std::nullopt);
  EXPECT_TRUE(claim.active());
  turns_.run();
  EXPECT_EQ(winner, (Binding{"r1", 1}));
  EXPECT_EQ(found, (Binding{"r1", 1}));
  EXPECT_FALSE(claim.active());
  EXPECT_TRUE(store_.available());
}

TEST_F(AMemoryStore, DoesNotAnswerWhoHasGone) {
  bool answered = false;
  {
    Pending find = store_.find("k", [&](auto) { answered = true; });
  }
  turns_.run();
  EXPECT_FALSE(answered);
}

TEST_F(AMemoryStore, LetsAnAnswerCancelTheNextOne) {
  bool answered = false;
  Pending second;
  Pending first = store_.find("a", [&](auto) { second.reset(); });
  second = store_.find("b", [&](auto) { answered = true; });
  turns_.run();
  EXPECT_FALSE(answered);
}

TEST_F(AMemoryStore, LetsAnAnswerAskAgain) {
  int answers = 0;
  Pending again;
  Pending first = store_.find("a", [&](auto) {
    ++answers;
    again = store_.find("b", [&](auto) { ++answers; });
  });
  turns_.run_one();
  EXPECT_EQ(answers, 1);
  turns_.run();
  EXPECT_EQ(answers, 2);
}

TEST_F(AMemoryStore, KeepsChallengesForAWhile) {
  const auto found = [&](std::string_view token) {
    std::optional<std::string> answer;
    Pending find = store_.find_challenge(token, [&](auto held) { answer = *held; });
    turns_.run();
    return answer.value_or("(none)");
  };
  int kept = 0;
  const auto count = [&](const Outcome& done) { kept += done ? 1 : 0; };
  Pending keep = store_.keep_challenge("a", "a.1", 60s, count);
  EXPECT_EQ(kept, 0);
  turns_.run();
  EXPECT_EQ(kept, 1);
  EXPECT_EQ(found("a"), "a.1");
  EXPECT_EQ(found("b"), "(none)");
  keep = store_.keep_challenge("a", "a.2", 60s, count);
  EXPECT_EQ(found("a"), "a.2");
  clock_.advance(60s);
  EXPECT_EQ(found("a"), "(none)");
  keep = store_.keep_challenge("a", "a.3", 60s, count);
  Pending drop = store_.drop_challenge("a", count);
  EXPECT_EQ(found("a"), "(none)");
  EXPECT_EQ(kept, 4);
}

TEST(ChallengeTable, DropsTheOneThatWouldBeOverFirstWhenItIsFull) {
  ManualClock clock;
  ChallengeTable table(clock);
  table.keep("first", "first.1", 10s);
  for (size_t i = 0; i < ChallengeTable::most; ++i)
    table.keep(numbered("t", i), "x", 60s);
  EXPECT_EQ(table.find("first"), std::nullopt);
  EXPECT_EQ(table.find("t0"), "x");
  EXPECT_EQ(table.find(numbered("t", ChallengeTable::most - 1)), "x");
}

}  // namespace
}  // namespace usher::routing
