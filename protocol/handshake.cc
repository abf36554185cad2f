#include "protocol/handshake.h"

#include <algorithm>

#include "base/strings.h"
#include "protocol/headers.h"
#include "protocol/octets.h"

namespace usher::protocol {
namespace {

Fault bad(std::string_view detail) { return {Errc::bad_request, detail}; }

// 16 octets in base64: 22 characters and the padding. Left-over bits that are not 0 are the
// replica's to judge, as is what the key is for.
bool is_key(std::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  const auto digits = key.substr(0, 22);
  return std::all_of(digits.begin(), digits.end(),
                     [](char c) { return is_alpha(c) || is_digit(c) || c == '+' || c == '/'; });
}

// 0 to 255 without leading zeros.
bool is_version(std::string_view version) {
  const bool canonical = version == "0" || !version.starts_with('0');
  return canonical && version.size() <= 3 && parse_decimal<uint8_t>(version).has_value();
}

// The field's value where it stands exactly once.
std::optional<std::string_view> only(const Headers& headers, std::string_view name) {
  return headers.count(name) == 1 ? headers.get(name) : std::nullopt;
}

// Is predicate true of the name of an extension in "a; b=c, d; e=\"f, g\"" (section 9.1)?
template <typename Predicate>
bool any_extension(std::string_view list, Predicate predicate) {
  const auto names_one = [&](std::string_view extension) {
    const auto name = trim(cut(extension, ';').first);
    return !name.empty() && predicate(name);
  };
  bool quoted = false;
  size_t start = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i] == '"') quoted = !quoted;
    if (list[i] == '\\' && quoted) ++i;
    if (quoted || list[i] != ',') continue;
    if (names_one(list.substr(start, i - start))) return true;
    start = i + 1;
  }
  return names_one(list.substr(start));
}

bool offers_extension(const Headers& request, std::string_view extension) {
  return std::any_of(request.begin(), request.end(), [&](const Field& field) {
    return equals_ignoring_case(field.name, "Sec-WebSocket-Extensions") &&
           any_extension(field.value,
                         [&](std::string_view offered) { return offered == extension; });
  });
}

bool offers_protocol(const Headers& request, std::string_view protocol) {
  return std::any_of(request.begin(), request.end(), [&](const Field& field) {
    return equals_ignoring_case(field.name, "Sec-WebSocket-Protocol") &&
           any_element(field.value, [&](std::string_view offered) { return offered == protocol; });
  });
}

// Why that 101 opens nothing; empty if it does.
std::string_view fault_of(const RequestHead& request, const ResponseHead& response,
                          std::string_view accept) {
  const Headers& asked = request.headers;
  const Headers& said = response.headers;
  if (!request.wants_websocket) return "a 101 that nobody asked for";
  if (asked.get("Sec-WebSocket-Version") != websocket_version) {
    return "a 101 for another version of websocket";
  }
  if (response.minor_version == 0) return "a 101 in HTTP/1.0";
  const auto upgrade = only(said, "Upgrade");
  if (!upgrade || !equals_ignoring_case(*upgrade, "websocket")) return "a 101 to something else";
  if (!said.has_token("Connection", "upgrade")) return "a 101 without Connection: Upgrade";
  if (only(said, "Sec-WebSocket-Accept") != accept) return "a wrong Sec-WebSocket-Accept";
  if (said.has("Sec-WebSocket-Protocol")) {
    const auto protocol = only(said, "Sec-WebSocket-Protocol");
    if (!protocol || !offers_protocol(asked, *protocol)) return "a subprotocol not offered";
  }
  if (said.has("Sec-WebSocket-Extensions")) {
    const auto extensions = only(said, "Sec-WebSocket-Extensions");
    const auto strange = [&](std::string_view name) { return !offers_extension(asked, name); };
    if (!extensions || any_extension(*extensions, strange)) return "an extension not offered";
  }
  return {};
}

}  // namespace

Fault check_websocket_request(const RequestHead& request) {
  if (request.body.kind != BodyKind::none &&
      (request.body.kind != BodyKind::length || request.body.length != 0)) {
    return bad("websocket handshake with a body");
  }
  const auto key = only(request.headers, "Sec-WebSocket-Key");
  if (!key || !is_key(*key)) return bad("websocket handshake without a valid key");
  const auto version = only(request.headers, "Sec-WebSocket-Version");
  if (!version || !is_version(*version)) return bad("websocket handshake without a valid version");
  return {};
}

Outcome check_websocket_response(const RequestHead& request, const ResponseHead& response,
                                 std::string_view accept) {
  const auto fault = fault_of(request, response, accept);
  if (fault.empty()) return {};
  return Error{Errc::replica_bad_upgrade, Side::replica, std::string(fault)};
}

}  // namespace usher::protocol
