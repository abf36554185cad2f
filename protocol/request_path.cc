#include "protocol/request_path.h"

#include <optional>

#include "base/strings.h"

namespace usher::protocol {
namespace {

constexpr std::string_view hex_digits = "0123456789ABCDEF";

// What stands at `at` if that is an encoded octet.
std::optional<char> encoded_octet(std::string_view path, size_t at) {
  uint8_t octet = 0;
  const bool encoded =
      path[at] == '%' && at + 2 < path.size() && from_hex(path.substr(at + 1, 2), {&octet, 1}) == 1;
  return encoded ? std::optional(static_cast<char>(octet)) : std::nullopt;
}

std::string decode(std::string_view path) {
  std::string decoded;
  decoded.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    const auto octet = encoded_octet(path, i);
    decoded += octet.value_or(path[i]);
    if (octet) i += 2;
  }
  return decoded;
}

std::string escape(std::string_view text, std::string_view marks) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    const auto octet = static_cast<uint8_t>(c);
    if (octet > 0x20 && octet < 0x7f && marks.find(c) == std::string_view::npos) {
      escaped += c;
    } else {
      escaped += '%';
      escaped += hex_digits[octet >> 4];
      escaped += hex_digits[octet & 15];
    }
  }
  return escaped;
}

}  // namespace

bool needs_normalising(std::string_view path) {
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%') return true;
    if (path[i] != '/' || i + 1 == path.size()) continue;
    if (path[i + 1] == '/' || path[i + 1] == '.') return true;
  }
  return false;
}

std::string normalise_path(std::string_view path) {
  const std::string decoded = decode(path);
  std::string_view rest = decoded;
  std::string made;
  made.reserve(decoded.size() + 1);
  bool more = true;
  while (more) {
    const auto [segment, after] = cut(rest, '/');
    more = after.has_value();
    rest = after.value_or(std::string_view());
    const bool dots = segment == "." || segment == "..";
    if (segment == "..") made.erase(made.rfind('/') == std::string::npos ? 0 : made.rfind('/'));
    if (!segment.empty() && !dots) made.append("/").append(segment);
    // A path that ends in "/", "/." or "/.." names a directory.
    if (!more && (segment.empty() || dots)) made += '/';
  }
  return made;
}

std::string path_of_target(std::string_view target) {
  const std::string_view path = cut(target, '?').first;
  if (!path.starts_with('/')) return "/";
  return needs_normalising(path) ? normalise_path(path) : std::string(path);
}

bool is_strict(std::string_view path) {
  for (size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1)) {
    if (encoded_octet(path, at).value_or('\0') == '\0') return false;
  }
  const std::string decoded = decode(path);
  std::string_view rest = decoded;
  size_t depth = 0;
  while (true) {
    const auto [segment, after] = cut(rest, '/');
    if (segment == "..") {
      if (depth-- == 0) return false;
    } else if (!segment.empty() && segment != ".") {
      ++depth;
    }
    if (!after) return true;
    rest = *after;
  }
}

std::string escape_path(std::string_view path) { return escape(path, "%?#\"<>\\^`{|}"); }

std::string escape_query(std::string_view query) { return escape(query, "#"); }

}  // namespace usher::protocol
