#include "base/pending.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace usher {
namespace {

struct Answer final : PendingAnswer {
  explicit Answer(int& count) : cancelled(count) {}
  void cancel() noexcept override { ++cancelled; }
  using PendingAnswer::finished;
  int& cancelled;
};

TEST(Pending, CancelsWhenTheAskerGoes) {
  int cancelled = 0;
  Answer answer(cancelled);
  { const Pending pending(answer); }
  EXPECT_EQ(cancelled, 1);
}

TEST(Pending, CancelsOnceAndOnlyTheLastOwner) {
  int cancelled = 0;
  Answer answer(cancelled);
  Pending first(answer);
  EXPECT_TRUE(first.active());
  Pending second(std::move(first));
  EXPECT_FALSE(first.active());  // NOLINT: use after move is what is tested
  first.reset();
  EXPECT_EQ(cancelled, 0);
  second.reset();
  second.reset();
  EXPECT_EQ(cancelled, 1);
}

TEST(Pending, IsNotCancelledOnceItIsAnswered) {
  int cancelled = 0;
  Answer answer(cancelled);
  {
    Pending pending(answer);
    answer.finished();
    EXPECT_FALSE(pending.active());
    answer.finished();
  }
  EXPECT_EQ(cancelled, 0);
}

TEST(Pending, LearnsThatItsAnswererIsGone) {
  int cancelled = 0;
  std::optional<Answer> answer(std::in_place, cancelled);
  const Pending pending(*answer);
  answer.reset();
  EXPECT_FALSE(pending.active());
  EXPECT_EQ(cancelled, 0);
}

TEST(Pending, CancelsWhatItHeldWhenItTakesAnother) {
  int one = 0;
  int two = 0;
  Answer first(one);
  Answer second(two);
  Pending pending(first);
  pending = Pending(second);
  EXPECT_EQ(one, 1);
  EXPECT_EQ(two, 0);
  pending = Pending();
  EXPECT_EQ(two, 1);
}

struct Suicidal final : PendingAnswer {
  void cancel() noexcept override { self.reset(); }
  std::unique_ptr<Suicidal> self;
};

TEST(Pending, AllowsAnAnswererToGoWhenItIsCancelled) {
  auto answer = std::make_unique<Suicidal>();
  Suicidal& reference = *answer;
  Pending pending(reference);
  reference.self = std::move(answer);
  pending.reset();
  EXPECT_FALSE(pending.active());
}

}  // namespace
}  // namespace usher
