#include "base/json.h"

#include <cstdint>

namespace usher {
namespace {

// Length of the well-formed UTF-8 sequence at the start of text (Unicode table 3-7), or 0.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto continues = [&](size_t i, uint8_t low = 0x80, uint8_t high = 0xbf) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const uint8_t low = first == 0xe0 ? 0xa0 : 0x80;
    const uint8_t high = first == 0xed ? 0x9f : 0xbf;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const uint8_t low = first == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = first == 0xf4 ? 0x8f : 0xbf;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default:
      out += "\\u00";
      out += digits[static_cast<uint8_t>(c) >> 4];
      out += digits[static_cast<uint8_t>(c) & 15];
  }
}

}  // namespace

size_t append_json_text(std::string& out, std::string_view text, size_t most) {
  const size_t start = out.size();
  size_t taken = 0;
  while (taken < text.size()) {
    const size_t before = out.size();
    const char c = text[taken];
    size_t length = 1;
    if (c == '"' || c == '\\' || static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      append_escape(out, c);
    } else if (length = utf8_length(text.substr(taken)); length == 0) {
      out += "\\ufffd";
      length = 1;
    } else {
      out.append(text.substr(taken, length));
    }
    if (out.size() - start > most) {
      out.resize(before);
      return taken;
    }
    taken += length;
  }
  return taken;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_json_text(out, text, std::string::npos);
  out += '"';
}

}  // namespace usher
