#include "proxy/retry.h"

#include <gtest/gtest.h>

namespace usher::proxy {
namespace {

// Every way in which an attempt can stand, for one code.
template <typename Check>
void for_every_attempt(Check check) {
  for (unsigned bits = 0; bits < 128; ++bits) {
    check(Attempt{.number = bits & 1 ? 2u : 1u,
                  .most = 2,
                  .response_started = (bits & 2) != 0,
                  .reused_connection = (bits & 4) != 0,
                  .repeatable = (bits & 8) != 0,
                  .body_begun = (bits & 16) != 0,
                  .sent_before = (bits & 32) != 0,
                  .wanted = (bits & 64) != 0});
  }
}

// The rule of docs/architecture.md, said a second time in the plainest way.
NextStep expected(Errc code, const Attempt& attempt) {
  if (attempt.response_started || row_of(code).status == 0) return NextStep::reset;
  const bool left = attempt.number < attempt.most;
  switch (code) {
    case Errc::connect_refused:
    case Errc::connect_timeout:
    case Errc::connect_failed:
      return left && !attempt.body_begun ? NextStep::try_again : NextStep::error_response;
    // It does not count itself.
    case Errc::replica_closed_idle:
      return attempt.reused_connection && attempt.repeatable && !attempt.sent_before
                 ? NextStep::try_again
                 : NextStep::error_response;
    case Errc::replica_closed:
      return left && attempt.repeatable && !attempt.sent_before ? NextStep::try_again
                                                                : NextStep::error_response;
    case Errc::first_byte_timeout:
    case Errc::replica_bad_response:
    case Errc::replica_status:
      return left && attempt.wanted && attempt.repeatable && !attempt.sent_before
                 ? NextStep::try_again
                 : NextStep::error_response;
    default: return NextStep::error_response;
  }
}

TEST(Retry, FollowsTheTableForEveryCauseAndEveryAttempt) {
  for (size_t i = 1; i < error_codes; ++i) {
    const auto code = static_cast<Errc>(i);
    for_every_attempt([code](const Attempt& attempt) {
      EXPECT_EQ(decide(code, attempt), expected(code, attempt))
          << name_of(code) << " number " << attempt.number << " started "
          << attempt.response_started << " reused " << attempt.reused_connection << " repeatable "
          << attempt.repeatable << " body " << attempt.body_begun << " sent before "
          << attempt.sent_before << " wanted " << attempt.wanted;
    });
  }
}

TEST(Retry, NeverRepeatsAPostThatMayHaveBeenProcessed) {
  const Attempt post{
      .number = 1, .most = 5, .reused_connection = true, .repeatable = false, .body_begun = true};
  for (size_t i = 1; i < error_codes; ++i) {
    EXPECT_NE(decide(static_cast<Errc>(i), post), NextStep::try_again)
        << name_of(static_cast<Errc>(i));
  }
}

TEST(Retry, SendsNothingMoreThanTwice) {
  for (size_t i = 1; i < error_codes; ++i) {
    const auto code = static_cast<Errc>(i);
    if (row_of(code).retry == Retry::nothing_sent) continue;
    const Attempt second{
        .number = 2, .most = 5, .reused_connection = true, .repeatable = true, .sent_before = true};
    EXPECT_NE(decide(code, second), NextStep::try_again) << name_of(code);
  }
}

TEST(Retry, NeverBeginsAgainBehindAResponseThatTheClientHasSeen) {
  for (size_t i = 1; i < error_codes; ++i) {
    const Attempt attempt{.number = 1, .most = 5, .response_started = true, .repeatable = true};
    EXPECT_EQ(decide(static_cast<Errc>(i), attempt), NextStep::reset);
  }
}

}  // namespace
}  // namespace usher::proxy
