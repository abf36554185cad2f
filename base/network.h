// Which addresses count as one client's.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace usher {

// The part of an address (4 or 16 bytes) that one client cannot choose: an IPv4 address, or the /64
// of an IPv6 address, since nobody has fewer.
inline std::string_view network_of(std::span<const uint8_t> ip) {
  return {reinterpret_cast<const char*>(ip.data()), ip.size() == 16 ? 8 : ip.size()};
}

}  // namespace usher
