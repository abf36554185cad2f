#include "proxy/password_checker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <thread>

namespace usher::proxy {
namespace {

using Verdict = PasswordChecker::Verdict;

// bcrypt of "secret" with some 70 ms of work: nothing is over before it has begun.
constexpr const char* slow = "joe:$2b$10$YBE9NWmi15MSy2ZbnnY1mO1CgUSm3RDeTFFukO.TVct793QL3DttK\n";

// Networks, as bytes of addresses.
constexpr std::string_view home = "\xc0\x00\x02\x01";
std::string network(size_t number) { return "10." + std::to_string(number); }

class APasswordChecker : public ::testing::Test {
 protected:
  protocol::BasicCredentials joe(const std::string& password) const { return {"joe", password}; }
  // The loop runs until so many verdicts are there.
  void await(size_t count) {
    wanted_ = count;
    if (verdicts_.size() < wanted_) loop_.run();
  }
  PasswordChecker::Answer keep() {
    return [this](Verdict verdict) {
      verdicts_.push_back(verdict);
      if (verdicts_.size() >= wanted_) loop_.stop();
    };
  }

  net::Loop loop_;
  PasswordFile file_{"joe:{PLAIN}secret\n"};
  PasswordFailures failures_;
  PasswordChecker checker_{loop_, failures_};
  std::vector<Verdict> verdicts_;
  size_t wanted_ = 0;
};

TEST_F(APasswordChecker, RemembersWhatWasRightAndNothingElse) {
  EXPECT_FALSE(checker_.remembers(file_, joe("secret")));
  const Pending right = checker_.check(file_, joe("secret"), home, keep());
  await(1);
  const Pending wrong = checker_.check(file_, joe("wrong"), home, keep());
  await(2);
  const Pending stranger = checker_.check(file_, {"ann", "secret"}, home, keep());
  await(3);
  EXPECT_EQ(verdicts_, (std::vector{Verdict::right, Verdict::wrong, Verdict::wrong}));
  EXPECT_TRUE(checker_.remembers(file_, joe("secret")));
  EXPECT_FALSE(checker_.remembers(file_, joe("wrong")));
  EXPECT_FALSE(checker_.remembers(file_, {"ann", "secret"}));
}

TEST_F(APasswordChecker, ForgetsWithAnotherHashInTheFileOrWithoutTheName) {
  const Pending right = checker_.check(file_, joe("secret"), home, keep());
  await(1);
  EXPECT_FALSE(checker_.remembers(PasswordFile("joe:{PLAIN}other\n"), joe("secret")));
  EXPECT_FALSE(checker_.remembers(PasswordFile("ann:{PLAIN}secret\n"), joe("secret")));
  EXPECT_FALSE(checker_.remembers(PasswordFile(""), joe("secret")));
  EXPECT_TRUE(checker_.remembers(PasswordFile("ann:x\njoe:{PLAIN}secret\n"), joe("secret")));
}

TEST_F(APasswordChecker, ChecksOnceWhatManyAskAtATime) {
  const PasswordFile file(slow);
  std::vector<Pending> askers;
  for (size_t i = 0; i < 4 * PasswordChecker::most_waiting; ++i)
    askers.push_back(checker_.check(file, joe("secret"), home, keep()));
  await(askers.size());
  EXPECT_EQ(verdicts_, std::vector(askers.size(), Verdict::right)) << "none was too many";
}

TEST_F(APasswordChecker, IsBusyWhenTooManyNetworksWait) {
  const PasswordFile file(slow);
  std::vector<Pending> askers;
  for (size_t i = 0; i < PasswordChecker::most_waiting + 30; ++i)
    askers.push_back(checker_.check(file, joe("wrong" + std::to_string(i)), network(i), keep()));
  EXPECT_LE(checker_.waiting(), PasswordChecker::most_waiting);
  await(10);
  EXPECT_GT(std::count(verdicts_.begin(), verdicts_.end(), Verdict::busy), 0);
}

TEST_F(APasswordChecker, IsBusyForANetworkWithTooManyAtATime) {
  const PasswordFile file(slow);
  std::vector<Pending> askers;
  for (size_t i = 0; i < PasswordChecker::most_of_one + 30; ++i)
    askers.push_back(checker_.check(file, joe("wrong" + std::to_string(i)), home, keep()));
  EXPECT_LE(checker_.waiting(), PasswordChecker::most_of_one);
  await(10);
  EXPECT_GT(std::count(verdicts_.begin(), verdicts_.end(), Verdict::busy), 0);
}

TEST_F(APasswordChecker, LetsNetworksTakeTurns) {
  const PasswordFile file(slow);
  std::vector<Pending> guesses;
  for (size_t i = 0; i < PasswordChecker::most_of_one; ++i)
    guesses.push_back(checker_.check(file, joe("wrong" + std::to_string(i)), home, keep()));
  const Pending other = checker_.check(file, joe("secret"), network(1), keep());
  await(PasswordChecker::most_of_one / 2);
  EXPECT_EQ(std::count(verdicts_.begin(), verdicts_.end(), Verdict::right), 1);
}

TEST_F(APasswordChecker, ServesThoseFirstWhoHaveNotFailed) {
  const PasswordFile file(slow);
  std::vector<Pending> guesses;
  for (size_t i = 0; i < PasswordChecker::most_waiting + 10; ++i) {
    failures_.failed(network(i), 1, loop_.now());
    guesses.push_back(
        checker_.check(file, joe("wrong" + std::to_string(i)), network(i), [](Verdict) {}));
  }
  const Pending honest = checker_.check(file, joe("secret"), home, keep());
  const MonotonicTime began = std::chrono::steady_clock::now();
  await(1);
  EXPECT_EQ(verdicts_, std::vector{Verdict::right}) << "it takes the place of one that has failed";
  EXPECT_LT(std::chrono::steady_clock::now() - began, PasswordChecker::longest_wait / 2);
}

TEST_F(APasswordChecker, NotesEachWrongGuessOfANetwork) {
  for (const char* password : {"one", "two", "two", "secret"}) {
    const Pending asked = checker_.check(file_, joe(password), home, keep());
    await(verdicts_.size() + 1);
  }
  const auto standing = checker_.standing(file_, joe("two"), home);
  EXPECT_EQ(standing.failures, 2u) << "the same again is the same guess";
  EXPECT_TRUE(standing.repeated);
  EXPECT_FALSE(checker_.standing(file_, joe("three"), home).repeated);
  EXPECT_EQ(checker_.standing(file_, joe("two"), network(1)).failures, 0u);
}

TEST_F(APasswordChecker, NotesAWrongGuessWhoseClientHasLeft) {
  {
    const Pending gone = checker_.check(PasswordFile(slow), joe("wrong"), home, keep());
    while (checker_.waiting() > 0)
      std::this_thread::yield();
  }
  const Pending next = checker_.check(file_, joe("secret"), home, keep());
  await(1);
  EXPECT_EQ(verdicts_, std::vector{Verdict::right});
  EXPECT_EQ(failures_.look(home, 0, loop_.now()).failures, 1u);
}

TEST_F(APasswordChecker, HoldsNothingAgainstClientsWithoutANetwork) {
  const Pending asked = checker_.check(file_, joe("wrong"), "", keep());
  await(1);
  EXPECT_EQ(checker_.standing(file_, joe("wrong"), "").failures, 0u);
  EXPECT_EQ(failures_.size(), 0u);
}

TEST_F(APasswordChecker, ForgetsWhoeverHasGone) {
  const PasswordFile file(slow);
  {
    std::vector<Pending> gone;
    for (size_t i = 0; i < PasswordChecker::most_waiting; ++i)
      gone.push_back(checker_.check(file, joe("wrong" + std::to_string(i)), home, keep()));
  }
  const Pending stays = checker_.check(file, joe("secret"), home, keep());
  await(1);
  EXPECT_EQ(verdicts_, std::vector{Verdict::right}) << "those who left keep nobody waiting";
}

TEST_F(APasswordChecker, AnAnswerMayEndTheOtherAskers) {
  std::array<Pending, 3> askers;
  for (Pending& asker : askers) {
    asker = checker_.check(file_, joe("secret"), home, [&](Verdict verdict) {
      for (Pending& each : askers)
        each.reset();
      keep()(verdict);
    });
  }
  await(1);
  const Pending another = checker_.check(file_, joe("other"), home, keep());
  await(2);
  EXPECT_EQ(verdicts_, (std::vector{Verdict::right, Verdict::wrong}));
}

}  // namespace
}  // namespace usher::proxy
