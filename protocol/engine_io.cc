#include "protocol/engine_io.h"

#include <algorithm>

#include "base/strings.h"

namespace usher::protocol {
namespace {

enum class Verdict : uint8_t { incomplete, open_packet, other };

// A reader of text that may not be all there yet: running off its end is "incomplete".
class Cursor final {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool at_end() const { return text_.empty(); }
  char peek() const { return text_.front(); }
  char take() {
    const char c = text_.front();
    text_.remove_prefix(1);
    return c;
  }
  void skip_space() {
    const auto first = text_.find_first_not_of(" \t\r\n");
    text_.remove_prefix(first == std::string_view::npos ? text_.size() : first);
  }
  Verdict expect(char c) {
    if (at_end()) return Verdict::incomplete;
    return take() == c ? Verdict::open_packet : Verdict::other;
  }
  // What stands between quotes, escapes left as they are.
  Verdict string(std::string_view& content) {
    if (const auto quote = expect('"'); quote != Verdict::open_packet) return quote;
    for (size_t i = 0; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == '"') {
        content = text_.substr(0, i);
        text_.remove_prefix(i + 1);
        return Verdict::open_packet;
      }
    }
    return Verdict::incomplete;
  }
  // A value of any type up to the comma or bracket after it.
  Verdict skip_value() {
    size_t depth = 0;
    while (!at_end()) {
      const char c = peek();
      std::string_view ignored;
      if (c == '"') {
        if (const auto verdict = string(ignored); verdict != Verdict::open_packet) return verdict;
        continue;
      }
      if (depth == 0 && (c == ',' || c == '}')) return Verdict::open_packet;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') {
        if (depth == 0) return Verdict::other;
        --depth;
      }
      take();
    }
    return Verdict::incomplete;
  }

 private:
  std::string_view text_;
};

// Protocol 3 puts the packet's length before it: "96:0{…" as text, or a 0 octet, the digits as
// octets 0 to 9 and a 255 octet in its binary form.
Verdict skip_length_prefix(Cursor& text) {
  constexpr int digits_limit = 10;
  if (text.at_end()) return Verdict::incomplete;
  const bool binary = text.peek() == '\0';
  const char end = binary ? '\xff' : ':';
  if (binary) text.take();
  for (int digits = 0; !text.at_end(); ++digits) {
    const char c = text.take();
    if (c == end) return digits > 0 ? Verdict::open_packet : Verdict::other;
    const bool digit = binary ? c >= 0 && c <= 9 : is_digit(c);
    if (!digit || digits == digits_limit) return Verdict::other;
  }
  return Verdict::incomplete;
}

Verdict read_open_packet(std::string_view body, std::string_view& sid) {
  if (body.size() < 2) return Verdict::incomplete;
  Cursor text(body);
  // A length never starts with 0, so "0{" is protocol 4's open packet.
  if (!body.starts_with("0{")) {
    if (const auto prefix = skip_length_prefix(text); prefix != Verdict::open_packet) return prefix;
  }
  for (const char c : {'0', '{'}) {
    if (const auto verdict = text.expect(c); verdict != Verdict::open_packet) return verdict;
  }
  while (true) {
    std::string_view key;
    text.skip_space();
    if (const auto verdict = text.string(key); verdict != Verdict::open_packet) return verdict;
    text.skip_space();
    if (const auto verdict = text.expect(':'); verdict != Verdict::open_packet) return verdict;
    text.skip_space();
    if (key == "sid") return text.string(sid);
    if (const auto verdict = text.skip_value(); verdict != Verdict::open_packet) return verdict;
    if (const auto verdict = text.expect(','); verdict != Verdict::open_packet) return verdict;
  }
}

std::optional<std::string_view> parameter(std::string_view query, std::string_view name) {
  for (auto rest = std::optional(query); rest;) {
    const auto [pair, after] = cut(*rest, '&');
    const auto [key, value] = cut(pair, '=');
    if (key == name) return value.value_or(std::string_view{});
    rest = after;
  }
  return std::nullopt;
}

}  // namespace

bool is_plausible_sid(std::string_view sid) {
  constexpr size_t longest = 64;
  return !sid.empty() && sid.size() <= longest && std::all_of(sid.begin(), sid.end(), [](char c) {
    return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.' || c == '~';
  });
}

std::optional<std::string_view> sid_of_query(std::string_view query) {
  const auto sid = parameter(query, "sid");
  return sid && is_plausible_sid(*sid) ? sid : std::nullopt;
}

bool is_polling_handshake(const RequestHead& head) {
  if (head.method != "GET") return false;
  const auto query = head.query();
  return parameter(query, "transport") == "polling" && !parameter(query, "sid");
}

bool asks_for_websocket(const RequestHead& head) {
  return head.method == "GET" && parameter(head.query(), "transport") == "websocket";
}

bool opens_by_websocket(const RequestHead& head) {
  return asks_for_websocket(head) && parameter(head.query(), "EIO") == "4" &&
         !parameter(head.query(), "sid");
}

std::optional<Heartbeat> read_heartbeat(std::string_view open_packet) {
  const auto number = [&](std::string_view key) -> std::optional<Duration> {
    const size_t found = open_packet.find(key);
    if (found == std::string_view::npos) return std::nullopt;
    std::string_view rest = open_packet.substr(found + key.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t:"), rest.size()));
    const size_t end = rest.find_first_of(",} ");
    const auto milliseconds = parse_decimal<uint32_t>(rest.substr(0, end));
    if (!milliseconds || *milliseconds == 0) return std::nullopt;
    return Duration(*milliseconds);
  };
  const auto interval = number("\"pingInterval\"");
  const auto timeout = number("\"pingTimeout\"");
  if (!open_packet.starts_with("0{") || !interval || !timeout) return std::nullopt;
  return Heartbeat{*interval, *timeout};
}

OpenPacketReader::State OpenPacketReader::feed(std::span<const char> piece) {
  if (state_ != State::reading) return state_;
  seen_.append(piece.data(), std::min(piece.size(), limit - seen_.size()));
  std::string_view sid;
  auto verdict = read_open_packet(seen_, sid);
  if (verdict == Verdict::incomplete && seen_.size() < limit) return state_;
  if (verdict == Verdict::open_packet && is_plausible_sid(sid)) {
    sid_ = sid;
    state_ = State::found;
  } else {
    state_ = State::not_an_open_packet;
  }
  seen_ = std::string();
  return state_;
}

}  // namespace usher::protocol
