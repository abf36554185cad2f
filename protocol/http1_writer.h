// HTTP/1.1 out: heads are rebuilt from what was understood, never copied, so that no one downstream
// can read them another way. All functions append to `out`.
//
// Connection, Transfer-Encoding and Content-Length are written here from the framing given,
// whatever the headers hold under these names; Upgrade only for a 101 or a 426 to a websocket.
#pragma once

#include <string>
#include <string_view>

#include "protocol/message.h"

namespace usher::protocol {

// To a replica: "Host: authority" first, then the fields. For a websocket handshake
// (head.wants_websocket) with "Connection: Upgrade" and "Upgrade: websocket".
void write_request_head(std::string& out, const RequestHead& head);

struct ResponseOptions {
  bool close = false;          // say "Connection: close"
  bool http10_client = false;  // never chunked; keeping the connection must be said
  bool upgrade = false;        // a 101: "Connection: Upgrade" and "Upgrade: websocket"
  bool empty_body =
      false;  // BodyKind::none where a client would wait for a body: "Content-Length: 0"
};
// To a client, as response_framing(head.body) says; with BodyKind::none, `head.announced_length` is
// written for what has no body but a length. Status line is always HTTP/1.1.
void write_response_head(std::string& out, const ResponseHead& head, ResponseOptions options);

// How the body goes to that client: chunked for HTTP/1.1 where the replica's ends at close,
// until_close for HTTP/1.0 where its length is not known.
BodyFraming response_framing(BodyFraming from_replica, bool http10_client);

// What stands before and after a piece of body of that size, for each framing. Empty but for
// chunked.
void write_chunk_prefix(std::string& out, size_t size);
inline constexpr std::string_view chunk_suffix = "\r\n";
// The last chunk with trailers (hop-by-hop and framing names are left out).
void write_last_chunk(std::string& out, const Headers& trailers);

}  // namespace usher::protocol
