// Digests and message authentication, so that nothing but tls/ knows OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace usher::tls {

using Sha256 = std::array<uint8_t, 32>;

// RFC 2104 with SHA-256, under one key that is prepared once. A copy shares its state with the
// original: both belong to one thread.
using KeyedMac = std::function<Sha256(std::string_view data)>;
KeyedMac make_hmac_sha256(std::span<const uint8_t> key);

// The Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (RFC 6455 section 4.2.2, point 5.4).
std::string websocket_accept(std::string_view key);

}  // namespace usher::tls
