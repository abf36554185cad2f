// Where one message ends and the next begins: the only place that decides (RFC 9112 section 6 and the
// rules on smuggling in section 11.2). What is ambiguous is refused, never guessed.
#pragma once

#include <cstddef>

#include "base/result.h"
#include "protocol/message.h"

namespace usher::protocol {

struct HeadLimits {
  size_t bytes = 64 * 1024;
  size_t fields = 256;
};

// Checks the raw bytes of a head, from its first line to the empty line: CRLF line ends only, no NUL or
// control characters, no white space before a colon, no folding, tokens as names. `Errc::bad_request`.
Outcome check_head_bytes(std::string_view head);

// Fills `body`, `authority`, `keep_alive`, `expects_continue` and `wants_websocket` of a parsed request,
// or refuses it: Content-Length that is repeated, malformed or beside Transfer-Encoding; a transfer
// coding other than one final "chunked" (not_implemented); Host missing, doubled, malformed or at odds
// with an absolute-form target; upgrades other than websocket are dropped by forwarding, not here.
Outcome frame_request(RequestHead& head);

// Fills `body` and `keep_alive` of a parsed response to a request with that method.
Outcome frame_response(ResponseHead& head, std::string_view request_method);

}  // namespace usher::protocol
