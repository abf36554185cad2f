// The heads of a request and of a response, whatever HTTP version carried them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/headers.h"

namespace usher::protocol {

enum class BodyKind : uint8_t { none, length, chunked, until_close };

// How the end of a body is known (RFC 9112 section 6). Decided in framing.cc and nowhere else.
struct BodyFraming {
  BodyKind kind = BodyKind::none;
  uint64_t length = 0;
  friend bool operator==(const BodyFraming&, const BodyFraming&) = default;
};

// Views live in `headers`.
struct RequestHead {
  std::string_view method;
  std::string_view target;     // origin-form ("/a/b?c=d") or "*", byte for byte as it came
  std::string_view authority;  // the Host field's value, or the target's authority; with its port
  uint8_t minor_version = 1;   // HTTP/1.minor
  bool keep_alive = true;      // what the client asked for
  bool expects_continue = false;
  bool wants_websocket = false;  // a valid opening handshake (handshake.h), of whatever version
  BodyFraming body;
  Headers headers;

  std::string_view path() const { return target.substr(0, target.find('?')); }
  // Without the "?"; empty if there is none.
  std::string_view query() const;
};

struct ResponseHead {
  uint16_t status = 0;
  std::string_view reason;
  uint8_t minor_version = 1;
  bool keep_alive = true;           // the replica lets the connection be used again
  bool requires_websocket = false;  // a 426 that says so (RFC 9110 section 15.5.22)
  BodyFraming body;
  // Content-Length of a response that has no body (to HEAD, or a 304): passed on, frames nothing.
  std::optional<uint64_t> announced_length;
  Headers headers;

  bool interim() const { return status >= 100 && status < 200 && status != 101; }
};

// RFC 9110 section 9.2.2.
bool is_idempotent(std::string_view method);

}  // namespace usher::protocol
