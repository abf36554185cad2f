// For fuzz targets of the protocol folder: one text, cut in ways that the text itself decides.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/field_rules.h"
#include "protocol/headers.h"

namespace usher::protocol::fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

inline void require_equal(const std::string& a, const std::string& b, const char* what) {
  if (a == b) return;
  std::fprintf(stderr, "violated: %s\n--- one\n%s\n--- other\n%s\n", what, a.c_str(), b.c_str());
  std::abort();
}

inline std::vector<std::string_view> octets_of(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (size_t i = 0; i < text.size(); ++i)
    pieces.push_back(text.substr(i, 1));
  return pieces;
}

// Pieces of 1 to 16 octets, or of up to 1024, as the seed says.
inline std::vector<std::string_view> cuts_of(std::string_view text, uint32_t seed) {
  const uint32_t longest = (seed & 1) != 0 ? 16 : 1024;
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    seed = seed * 1664525 + 1013904223;
    const size_t size = std::min<size_t>(text.size(), 1 + (seed >> 16) % longest);
    pieces.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return pieces;
}

// One field a line, but for those named.
inline std::string fields_but(const Headers& headers, std::string_view left_out) {
  std::string text;
  for (const Field& field : headers) {
    require(!field.name.empty(), "a field has a name");
    require(field.name.find_first_of(std::string_view("\0\r\n: \t", 6)) == std::string_view::npos,
            "a name has no separator in it");
    require(field.value.find_first_of(std::string_view("\0\r\n", 3)) == std::string_view::npos,
            "a value has no line end in it");
    require(field.value == trim(field.value), "a value is trimmed");
    if (equals_ignoring_case(field.name, left_out)) continue;
    text.append(field.name).append(": ").append(field.value).append("\n");
  }
  return text;
}

// Those that are passed on, one a line.
inline std::string trailers_passed_on(const Headers& trailers) {
  Headers passed;
  for (const Field& field : trailers) {
    if ((rules_of(field.name) & not_in_trailers) == 0) passed.append(field.name, field.value);
  }
  return fields_but(passed, {});
}

}  // namespace usher::protocol::fuzz
