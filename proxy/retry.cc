#include "proxy/retry.h"

namespace usher::proxy {
namespace {

bool may_repeat(Retry rule, const Attempt& attempt) {
  switch (rule) {
    case Retry::never: return false;
    case Retry::nothing_sent: return !attempt.body_begun;
    case Retry::if_reused:
      return attempt.reused_connection && attempt.repeatable && !attempt.sent_before;
    case Retry::if_idempotent: return attempt.repeatable && !attempt.sent_before;
    case Retry::if_wanted: return attempt.wanted && attempt.repeatable && !attempt.sent_before;
  }
  return false;
}

}  // namespace

NextStep decide(Errc failure, const Attempt& attempt) {
  if (attempt.response_started) return NextStep::reset;
  const ErrorRow& row = row_of(failure);
  if (row.status == 0) return NextStep::reset;  // the client is not there to be told
  // An attempt on a kept connection that was over is none that a replica could have answered.
  const unsigned made = attempt.number - (failure == Errc::replica_closed_idle ? 1 : 0);
  if (made < attempt.most && may_repeat(row.retry, attempt)) return NextStep::try_again;
  return NextStep::error_response;
}

}  // namespace usher::proxy
