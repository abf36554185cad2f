#include "proxy/password_failures.h"

#include <gtest/gtest.h>

namespace usher::proxy {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime start{1h};

TEST(PasswordFailures, ForgivesAFewAndThenDoublesTheWait) {
  PasswordFailures failures;
  PasswordFailures::Guess guess = 0;
  for (uint32_t i = 0; i < PasswordFailures::forgiven; ++i) {
    failures.failed("a", ++guess, start);
    EXPECT_EQ(failures.look("a", 0, start).wait, 0ms);
  }
  for (const auto wait : {1'000ms, 2'000ms, 4'000ms, 8'000ms, 16'000ms, 32'000ms, 60'000ms}) {
    failures.failed("a", ++guess, start);
    EXPECT_EQ(failures.look("a", 0, start).wait, wait);
  }
  for (int i = 0; i < 100; ++i)
    failures.failed("a", ++guess, start);
  EXPECT_EQ(failures.look("a", 0, start).wait, PasswordFailures::longest_wait);
  EXPECT_EQ(failures.look("a", 0, start + 59s).wait, 1'000ms);
  EXPECT_EQ(failures.look("a", 0, start + 60s).wait, 0ms);
  EXPECT_EQ(failures.look("b", 0, start).wait, 0ms) << "others do not wait";
}

TEST(PasswordFailures, ABrowserThatRepeatsAnOldPasswordFailsOnce) {
  PasswordFailures failures;
  for (int i = 0; i < 100; ++i)
    failures.failed("a", 7, start);
  EXPECT_EQ(failures.look("a", 7, start).failures, 1u);
  EXPECT_TRUE(failures.look("a", 7, start).repeated);
  EXPECT_FALSE(failures.look("a", 8, start).repeated);
}

TEST(PasswordFailures, ForgetsInTime) {
  PasswordFailures failures;
  for (PasswordFailures::Guess guess = 0; guess < 20; ++guess)
    failures.failed("a", guess, start);
  const MonotonicTime later = start + PasswordFailures::remembered_for;
  EXPECT_EQ(failures.look("a", 0, later - 1ms).failures, 20u);
  EXPECT_EQ(failures.look("a", 0, later).failures, 0u);
  failures.failed("a", 0, later);
  EXPECT_EQ(failures.look("a", 0, later).failures, 1u);
}

TEST(PasswordFailures, AreBoundedAndTheOldestGoes) {
  PasswordFailures failures;
  for (size_t i = 0; i <= PasswordFailures::most; ++i)
    failures.failed(std::to_string(i), 1, start);
  EXPECT_EQ(failures.size(), PasswordFailures::most);
  EXPECT_EQ(failures.look("0", 0, start).failures, 0u);
  EXPECT_EQ(failures.look("1", 0, start).failures, 1u);
}

}  // namespace
}  // namespace usher::proxy
