// Which octets may stand where (RFC 9110 section 5.6, RFC 9112 section 3). One table, a bit per
// class.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace usher::protocol {

enum OctetClass : uint8_t {
  token_octet = 1,      // tchar: methods, field names, chunk extension names
  target_octet = 2,     // request target: visible ASCII but "#"
  authority_octet = 4,  // of a reg-name or an IPv4 address: unreserved characters and sub-delims
  hex_octet = 8,
  quoted_octet = 16,  // qdtext: inside a quoted-string, but for the quote and the backslash
};

constexpr std::array<uint8_t, 256> make_octet_classes() {
  std::array<uint8_t, 256> classes{};
  const auto add = [&](std::string_view octets, uint8_t bit) {
    for (const char octet : octets)
      classes[static_cast<uint8_t>(octet)] |= bit;
  };
  constexpr std::string_view alphanumeric =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  add(alphanumeric, token_octet | authority_octet);
  add("!#$%&'*+-.^_`|~", token_octet);
  add("-._~!$&'()*+,;=", authority_octet);
  add("0123456789abcdefABCDEF", hex_octet);
  for (int octet = 0x21; octet < 0x7f; ++octet) {
    if (octet != '#') classes[static_cast<size_t>(octet)] |= target_octet;
  }
  for (int octet = 0x20; octet < 0x100; ++octet) {
    if (octet != 0x7f && octet != '"' && octet != '\\') {
      classes[static_cast<size_t>(octet)] |= quoted_octet;
    }
  }
  classes['\t'] |= quoted_octet;
  return classes;
}

inline constexpr std::array<uint8_t, 256> octet_classes = make_octet_classes();

constexpr bool is_octet(char octet, OctetClass octet_class) {
  return (octet_classes[static_cast<uint8_t>(octet)] & octet_class) != 0;
}

// False for an empty text.
constexpr bool is_all(std::string_view text, OctetClass octet_class) {
  for (const char octet : text) {
    if (!is_octet(octet, octet_class)) return false;
  }
  return !text.empty();
}

constexpr bool is_value_octet(char octet) {
  const auto value = static_cast<uint8_t>(octet);
  return value >= 0x20 ? value != 0x7f : value == '\t';
}

// HTAB, SP, visible ASCII and obs-text (RFC 9110 section 5.5). Values are most of what a head is,
// so eight octets are looked at together; only where one of them is suspect is each looked at.
inline bool is_field_value(std::string_view text) {
  constexpr uint64_t each = 0x0101010101010101, high = 0x80 * each;
  const char* octet = text.data();
  const char* const end = octet + text.size();
  for (; end - octet >= 8; octet += 8) {
    uint64_t eight;
    std::memcpy(&eight, octet, sizeof eight);
    const uint64_t differs_from_del = eight ^ 0x7f * each;
    const uint64_t controls = (eight - 0x20 * each) & ~eight;
    const uint64_t dels = (differs_from_del - each) & ~differs_from_del;
    if (((controls | dels) & high) == 0) continue;
    if (!std::all_of(octet, octet + 8, is_value_octet)) return false;
  }
  return std::all_of(octet, end, is_value_octet);
}

}  // namespace usher::protocol
