// Which octets may stand where (RFC 9110 section 5.6, RFC 9112 section 3). One table, a bit per
// class.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace usher::protocol {

enum OctetClass : uint8_t {
  token_octet = 1,      // tchar: methods, field names, chunk extension names
  target_octet = 2,     // request target: visible ASCII but "#"
  authority_octet = 4,  // host and port of a reg-name or an IPv4 address: unreserved characters
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
  add("-._~", authority_octet);
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

// HTAB, SP, visible ASCII and obs-text (RFC 9110 section 5.5). Without a branch, so that compilers
// make vector code of it: values are most of what a head is.
constexpr bool is_field_value(std::string_view text) {
  bool bad = false;
  for (const char octet : text) {
    const auto value = static_cast<uint8_t>(octet);
    bad |= (value < 0x20 && value != '\t') || value == 0x7f;
  }
  return !bad;
}

}  // namespace usher::protocol
