// Small string work that HTTP, the configuration and the store share. ASCII only: no locale is
// asked.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }

bool equals_ignoring_case(std::string_view a, std::string_view b);
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);
std::string to_lower(std::string_view text);

// Without spaces and tabs at both ends (OWS of RFC 9110 section 5.6.3).
std::string_view trim(std::string_view text);

// "a, b,,c" at ',' gives "a", "b", "c": trimmed, empty elements left out (RFC 9110 section 5.6.1).
std::vector<std::string_view> split_list(std::string_view text, char separator = ',');

// The part before the separator and the part after it; the second is absent if there is no
// separator.
std::pair<std::string_view, std::optional<std::string_view>> cut(std::string_view text,
                                                                 char separator);

// Digits only: no sign, no space, no overflow.
template <typename Int>
std::optional<Int> parse_decimal(std::string_view text) {
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  Int value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// RFC 4648 section 5, without padding.
std::string to_base64url(std::span<const uint8_t> bytes);
// Nothing for a character outside the alphabet, a length of 1 modulo 4, or left-over bits that are
// not 0.
std::optional<std::vector<uint8_t>> from_base64url(std::string_view text);
// RFC 4648 section 4; with its padding or without.
std::optional<std::string> from_base64(std::string_view text);
// "%3A" becomes ":" (RFC 3986 section 2.1). Nothing for a "%" that two hex digits do not follow.
std::optional<std::string> percent_decode(std::string_view text);
std::string to_hex(std::span<const uint8_t> bytes);
// Writes what text says to `into` and returns how many bytes; 0 if it is no hexadecimal, or too
// long.
size_t from_hex(std::string_view text, std::span<uint8_t> into);

// Takes as long for equal as for different texts of one length.
bool equals_in_constant_time(std::string_view a, std::string_view b);

inline std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// A string's hash and equality that also take string_view, for unordered containers.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

}  // namespace usher
