#include "proxy/pace.h"

#include <gtest/gtest.h>

namespace usher::proxy {
namespace {

using std::chrono::seconds;

class PaceTest : public testing::Test {
 protected:
  bool stuck(uint64_t moved, bool due = true) {
    now_ += seconds(15);
    return pace_.stuck(moved, due, wanted_, now_);
  }

  MonotonicTime now_{seconds(1000)};
  Pace::Wanted wanted_ = Pace::at_rate(100, seconds(60));
  Pace pace_;
  void SetUp() override { EXPECT_FALSE(pace_.stuck(0, true, wanted_, now_)); }
};

TEST_F(PaceTest, OneByteNowAndThenIsNoProgress) {
  EXPECT_FALSE(stuck(1));
  EXPECT_FALSE(stuck(2));
  EXPECT_FALSE(stuck(3));
  EXPECT_TRUE(stuck(4));
}

TEST_F(PaceTest, WhatKeepsToTheRateGoesOn) {
  for (uint64_t look = 1; look < 100; ++look)
    EXPECT_FALSE(stuck(look * 15 * 100));
}

TEST_F(PaceTest, ABurstIsGoodForOneSpan) {
  EXPECT_FALSE(stuck(1'000'000));
  EXPECT_FALSE(stuck(1'000'000));
  EXPECT_FALSE(stuck(1'000'000));
  EXPECT_FALSE(stuck(1'000'000));
  EXPECT_TRUE(stuck(1'000'000));
}

TEST_F(PaceTest, TimeInWhichNothingIsDueDoesNotCount) {
  EXPECT_FALSE(stuck(0));
  EXPECT_FALSE(stuck(0));
  EXPECT_FALSE(stuck(0));
  EXPECT_FALSE(stuck(0, false));
  EXPECT_FALSE(stuck(0));
  EXPECT_FALSE(stuck(0));
  EXPECT_FALSE(stuck(0));
  EXPECT_TRUE(stuck(0));
}

TEST_F(PaceTest, WhatBeginsAnewHasItsWholeTime) {
  EXPECT_FALSE(stuck(0));
  EXPECT_FALSE(stuck(0));
  EXPECT_FALSE(stuck(0));
  pace_.restart();
  EXPECT_FALSE(stuck(0));
  EXPECT_FALSE(stuck(0));
  EXPECT_FALSE(stuck(0));
  EXPECT_FALSE(stuck(0));
  EXPECT_TRUE(stuck(0));
}

TEST_F(PaceTest, AShortSpanWantsAByteAtLeast) {
  EXPECT_EQ(Pace::at_rate(240, std::chrono::milliseconds(1)).bytes, 1u);
  EXPECT_EQ(Pace::at_rate(240, seconds(60)).bytes, 14'400u);
}

}  // namespace
}  // namespace usher::proxy
