// The one table that says what follows when an attempt to serve a request fails.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace usher::proxy {

struct Attempt {
  unsigned number = 1;             // this was the n-th
  unsigned most = 1;               // attempts that the request may have
  bool response_started = false;   // the client has seen a part of the final response
  bool reused_connection = false;  // the attempt rode a kept-alive connection
  bool repeatable = false;         // idempotent method and no body (RFC 9110 section 9.2.2)
  bool body_begun = false;         // some of the request's body has left for a replica
  bool sent_before = false;        // an attempt before this one may have reached a replica
  bool wanted = false;  // the route wants the answer of another replica, and there is one
};

enum class NextStep : uint8_t { try_again, error_response, reset };

// Never again what a replica may have processed, unless doing it twice is as good as once; and then
// twice, not more often ("a client SHOULD NOT automatically retry a failed automatic retry").
NextStep decide(Errc failure, const Attempt& attempt);

}  // namespace usher::proxy
