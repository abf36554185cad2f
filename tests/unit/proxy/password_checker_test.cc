#include "proxy/password_checker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace usher::proxy {
namespace {

using Verdict = PasswordChecker::Verdict;

// bcrypt of "secret" with some 70 ms of work: nothing is over before it has begun.
constexpr const char* slow = "joe:$2b$10$YBE9NWmi15MSy2ZbnnY1mO1CgUSm3RDeTFFukO.TVct793QL3DttK\n";

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
  PasswordChecker checker_{loop_};
  std::vector<Verdict> verdicts_;
  size_t wanted_ = 0;
};

TEST_F(APasswordChecker, RemembersWhatWasRightAndNothingElse) {
  EXPECT_FALSE(checker_.remembers(file_, joe("secret")));
  const Pending right = checker_.check(file_, joe("secret"), keep());
  await(1);
  const Pending wrong = checker_.check(file_, joe("wrong"), keep());
  await(2);
  const Pending stranger = checker_.check(file_, {"ann", "secret"}, keep());
  await(3);
  EXPECT_EQ(verdicts_, (std::vector{Verdict::right, Verdict::wrong, Verdict::wrong}));
  EXPECT_TRUE(checker_.remembers(file_, joe("secret")));
  EXPECT_FALSE(checker_.remembers(file_, joe("wrong")));
  EXPECT_FALSE(checker_.remembers(file_, {"ann", "secret"}));
}

TEST_F(APasswordChecker, ForgetsWithAnotherHashInTheFileOrWithoutTheName) {
  const Pending right = checker_.check(file_, joe("secret"), keep());
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
    askers.push_back(checker_.check(file, joe("secret"), keep()));
  await(askers.size());
  EXPECT_EQ(verdicts_, std::vector(askers.size(), Verdict::right)) << "none was too many";
}

TEST_F(APasswordChecker, IsBusyWhenTooManyDifferentOnesWait) {
  std::vector<Pending> askers;
  for (size_t i = 0; i < PasswordChecker::most_waiting + 3; ++i)
    askers.push_back(checker_.check(file_, joe("wrong" + std::to_string(i)), keep()));
  await(askers.size());
  EXPECT_EQ(std::count(verdicts_.begin(), verdicts_.end(), Verdict::busy), 3);
}

TEST_F(APasswordChecker, ForgetsWhoeverHasGone) {
  const PasswordFile file(slow);
  {
    std::vector<Pending> gone;
    for (size_t i = 0; i < PasswordChecker::most_waiting; ++i)
      gone.push_back(checker_.check(file, joe("wrong" + std::to_string(i)), keep()));
  }
  const Pending stays = checker_.check(file, joe("secret"), keep());
  await(1);
  EXPECT_EQ(verdicts_, std::vector{Verdict::right}) << "those who left keep nobody waiting";
}

TEST_F(APasswordChecker, AnAnswerMayEndTheOtherAskers) {
  std::array<Pending, 3> askers;
  for (Pending& asker : askers) {
    asker = checker_.check(file_, joe("secret"), [&](Verdict verdict) {
      for (Pending& each : askers)
        each.reset();
      keep()(verdict);
    });
  }
  await(1);
  const Pending another = checker_.check(file_, joe("other"), keep());
  await(2);
  EXPECT_EQ(verdicts_, (std::vector{Verdict::right, Verdict::wrong}));
}

}  // namespace
}  // namespace usher::proxy
