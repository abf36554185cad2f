// What is special about a field name, one row a name: what is hop-by-hop, what frames, what a
// `Connection` token must not remove, what has no business in a trailer section.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace usher::protocol {

enum FieldRule : uint8_t {
  // Belongs to one connection (RFC 9110 section 7.6.1): never passed on as it came.
  hop_by_hop = 1,
  // Says where the message ends: written from its BodyFraming only.
  framing_field = 2,
  // A client must not make a proxy drop it by naming it in `Connection`.
  kept_from_connection = 4,
  // Routing, authentication, framing or content format: ignored in trailers (RFC 9110
  // section 6.5.1).
  not_in_trailers = 8,
};

// The rules of that name, or'ed; 0 for an ordinary field. Case and, so that no CGI-like server
// reads a field that usher did not see, "_", "." or another mark for "-" make no difference.
uint8_t rules_of(std::string_view name);

// CGI knows letters, digits and "_" alone, and what else is made "_" depends on the server (RFC
// 3875 section 4.1.18).
constexpr char to_canonical(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c | 0x20);
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
}
// Of letters, digits and "-", and `more`.
constexpr bool is_plain_name(std::string_view name, char more = '-') {
  for (const char c : name) {
    if (c != '-' && c != more && to_canonical(c) == '-') return false;
  }
  return true;
}
// "X_Forwarded_For" is the same as "x-forwarded-for" to a CGI-like server.
constexpr bool same_to_cgi(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (to_canonical(a[i]) != to_canonical(b[i])) return false;
  }
  return true;
}
// The same where one is canonical: in lower case, of letters, digits and "-".
constexpr bool equals_canonical(std::string_view name, std::string_view canonical) {
  if (name.size() != canonical.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    if (to_canonical(name[i]) != canonical[i]) return false;
  }
  return true;
}
// One field to a server that makes variables of names.
constexpr bool are_twins(std::string_view name, std::string_view other) {
  if (name.size() != other.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    if (to_canonical(name[i]) != to_canonical(other[i])) return false;
  }
  return true;
}
constexpr bool starts_with_canonical(std::string_view name, std::string_view canonical) {
  return equals_canonical(name.substr(0, canonical.size()), canonical);
}

}  // namespace usher::protocol
