// The opening handshake of a websocket (RFC 6455 section 4): which requests ask for one, and which
// 101 is an answer to them. A tunnel opens only where both hold, so that nobody gets a raw
// connection to a replica, or to a client, by a response or a request that only looks like it.
#pragma once

#include <string_view>

#include "base/result.h"
#include "protocol/head_scanner.h"
#include "protocol/message.h"

namespace usher::protocol {

// The only version that there is. A request may name another: the replica then says which it
// speaks (section 4.4), but no tunnel opens.
inline constexpr std::string_view websocket_version = "13";

// For a GET in HTTP/1.1 that asks to become a websocket, with the framing already known: no body,
// one key of 16 octets in base64, one version, a number below 256. `Errc::bad_request`.
Fault check_websocket_request(const RequestHead& request);

// For the 101 that answers `request` (section 4.1): that asked for a websocket in version 13, and
// the response is HTTP/1.1, has "Upgrade: websocket" and nothing else, "Connection: Upgrade", one
// Sec-WebSocket-Accept that is `accept`, and no subprotocol or extension that was not offered.
// `Errc::replica_bad_upgrade`.
Outcome check_websocket_response(const RequestHead& request, const ResponseHead& response,
                                 std::string_view accept);

}  // namespace usher::protocol
