// Where one message ends and the next begins: the only place that decides (RFC 9112 section 6 and
// the rules on smuggling in section 11.2). What is ambiguous is refused, never guessed.
#pragma once

#include <cstddef>

#include "base/result.h"
#include "protocol/message.h"

namespace usher::protocol {

struct HeadLimits {
  size_t bytes = 64 * 1024;
  size_t fields = 256;
};

// Checks the raw bytes of one head, from its first line to the empty line: CRLF line ends only, no
// NUL or control characters, no white space before a colon, no folding, tokens as names, one space
// between the parts of the first line, a method as check_method() wants it, HTTP/1.x (else
// `version_not_supported`). A request target is visible ASCII without "#": what is left unescaped,
// such as | ^ ` { } [ ] \ " < >, passes byte for byte; UTF-8 does not. `Errc::bad_request`.
Outcome check_head_bytes(std::string_view head);

// Fills `body`, `authority`, `keep_alive`, `expects_continue` and `wants_websocket` of a parsed
// request, or refuses it:
// - Content-Length that is repeated, malformed or beside Transfer-Encoding;
// - a transfer coding other than one final "chunked" (not_implemented where it is well-formed), and
//   any in HTTP/1.0;
// - Host missing (but in HTTP/1.0), doubled or malformed (letters, digits, "-._~", sub-delims or an
//   IPv6 literal, and a port); the host of an absolute-form target, which becomes origin-form,
//   wins;
// - Expect other than 100-continue (expectation_failed), which is dropped where it means nothing,
//   and said once where it was said twice;
// - a GET that asks for a websocket by a handshake that is none (handshake.h).
// Any other Upgrade is dropped by forwarding: h2c above all (RFC 9113 section 3.1), and websocket
// where "Connection: Upgrade" is missing, in HTTP/1.0, or with another method.
Outcome frame_request(RequestHead& head);

// What stands in the place of the first line in HTTP/2 (RFC 9113 section 8.3.1). Views.
struct PseudoFields {
  std::string_view method;
  std::string_view scheme;
  std::string_view authority;
  std::string_view path;
  std::string_view protocol;  // of an extended CONNECT (RFC 8441 section 4)

  void set(std::string_view name, std::string_view value);
};

// The same for a request of HTTP/2, whose own rules (lower case, no field of a connection, each
// pseudo-header field at most once and first) have been checked: fills the first line of the head
// too. Host beside :authority must be the same, and goes. `ended`: no body follows. A websocket's
// CONNECT becomes the GET that HTTP/1.1 asks for it with, with a key of its own; any other protocol
// is not implemented.
Outcome frame_request(RequestHead& head, const PseudoFields& pseudo, bool ended);

// Fills `body`, `announced_length`, `keep_alive` and `requires_websocket` of a parsed response to a
// request with that method.
Outcome frame_response(ResponseHead& head, std::string_view request_method);

}  // namespace usher::protocol
