// What usher reads in and does to fields: forwarding, cookies, codings, Engine.IO. The input is a
// request whose body is taken for the body of an Engine.IO handshake's response.

#include <cstddef>
#include <cstdint>

#include "conf/cookie_flags.h"
#include "protocol/content_coding.h"
#include "protocol/cookies.h"
#include "protocol/engine_io.h"
#include "protocol/field_rules.h"
#include "protocol/forwarding.h"
#include "protocol/http1_parser.h"
#include "protocol/rewriting.h"
#include "tests/fuzz/protocol_cuts.h"

namespace {

using namespace usher;
using namespace usher::protocol;
using namespace usher::protocol::fuzz;

constexpr uint8_t trusted_peer[] = {10, 1, 2, 3};
constexpr uint8_t other_peer[] = {192, 0, 2, 1};

conf::ForwardedSettings settings() {
  conf::ForwardedSettings forwarded;
  forwarded.trusted = {{.address = {10, 0, 0, 0}, .bits = 9}, {.address = {32, 1}, .bits = 16}};
  return forwarded;
}

std::string canonical(std::string_view name) {
  std::string text(name);
  for (char& c : text)
    c = to_canonical(c);
  return text;
}

void check_forwarding(RequestHead head, bool trusted) {
  static const Forwarding forwarding(settings());
  static const std::vector<std::string> identities = settings().strip;
  const ClientFacts client{.ip = trusted ? trusted_peer : other_peer,
                           .ip_text = trusted ? "10.1.2.3" : "192.0.2.1",
                           .secure = true,
                           .local_port = 443};
  const std::string address = forwarding.client_address(head.headers, client);
  require(trusted || address == "192.0.2.1", "an untrusted peer is the client");

  strip_hop_by_hop(head.headers);
  forwarding.strip_identity(head.headers, client);
  forwarding.add_forwarded(head, client);
  for (const Field& field : head.headers) {
    const bool trailers = field.name == "TE" && field.value == "trailers";
    require(trailers || (rules_of(field.name) & (hop_by_hop | framing_field)) == 0, "hop by hop");
    if (trusted) continue;
    for (const auto& identity : identities) {
      require(canonical(field.name) != canonical(identity), "an identity got through");
    }
    if (canonical(field.name).starts_with("x-forwarded-")) {
      require(field.name.starts_with("X-Forwarded-"), "a forged X-Forwarded field");
    }
  }
  for (const auto name : {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
                          "X-Forwarded-Port", "X-Real-IP"}) {
    require(head.headers.count(name) == 1, "each forwarding field stands there once");
  }
  const auto chain = *head.headers.get("X-Forwarded-For");
  const auto proto = *head.headers.get("X-Forwarded-Proto");
  require(chain.ends_with(client.ip_text), "the peer is the last of the chain");
  require(trusted || chain == client.ip_text, "the peer is the whole chain");
  require(proto == "https" || (trusted && proto == "http"), "the scheme is a scheme");
  require(!head.headers.has("Forwarded"), "no Forwarded");
}

void check_cookies(const Headers& headers) {
  for (const auto value : cookie_values(headers, "usher")) {
    require(value.find(';') == std::string_view::npos, "a cookie ends at its semicolon");
  }
}

// Whatever the fields are, rules leave as many, and no line's end in any.
void check_rewriting(const Headers& fields) {
  static const Rewriting rewriting = [] {
    conf::RouteSettings rules;
    const auto rule = [](const char* from, const char* to) {
      return conf::RewriteSettings{*conf::parse_pattern(from), *conf::parse_template(to)};
    };
    rules.rewrite_location = {rule("http://", "/"), rule("~(.*)x", "$1")};
    rules.rewrite_cookie_domain = rules.rewrite_cookie_path = rules.rewrite_location;
    for (const char* flags : {"a secure nohttponly samesite=lax", "~ nosecure httponly nosamesite"})
      rules.cookie_flags.push_back(*conf::parse_cookie_flags(flags));
    return Rewriting(rules);
  }();
  // As a response's, where the same names are looked for.
  Headers headers;
  for (const Field& field : fields)
    headers.append(field.name, field.value);
  const bool whole =
      rewriting.apply(headers, [](const conf::Template& text, const Rewriting::Groups* groups) {
        return groups ? groups->found.at(1) : text.source;
      });
  require(whole || !fields.empty(), "nothing to give up on");
  require(headers.size() == fields.size(), "as many fields");
  for (const Field& field : headers)
    require(field.value.find_first_of("\r\n") == std::string_view::npos, "one line each");
}

void check_codings(const Headers& headers) {
  Headers again;
  bool named = false;
  for (const Field& field : headers) {
    if (!equals_ignoring_case(field.name, "accept-encoding")) continue;
    named |= to_lower(field.value).find("gzip") != std::string::npos;
    again.append(field.name, ", \t" + std::string(field.value) + " ,");
  }
  const bool accepted = accepts_gzip(headers);
  require(named || !accepted, "gzip is accepted where it is named");
  require(accepts_gzip(again) == accepted, "empty elements say nothing");
  Headers refusing;
  refusing.append("Accept-Encoding", "gzip;q=0");
  for (const Field& field : headers)
    refusing.append(field.name, field.value);
  require(!accepts_gzip(refusing), "the first mention counts");
}

std::string open_packet_of(std::span<const std::string_view> pieces) {
  OpenPacketReader reader;
  auto state = OpenPacketReader::State::reading;
  for (const auto piece : pieces) {
    const auto next = reader.feed(piece);
    require(state == OpenPacketReader::State::reading || next == state, "a verdict is for good");
    state = next;
  }
  const bool found = state == OpenPacketReader::State::found;
  require(found == !reader.sid().empty(), "a sid when it was found");
  require(!found || is_plausible_sid(reader.sid()), "a sid that is found is plausible");
  return std::to_string(static_cast<int>(state)) + reader.sid();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint32_t seed = data[0] * 256u + data[1];
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);

  RequestParser parser({});
  std::span<const char> input(text);
  const auto parsed = parser.next(input);
  if (!parsed || parsed->kind != ParsedKind::head) return 0;
  auto head = parser.take_head();
  check_cookies(head.headers);
  check_codings(head.headers);
  const auto sid = sid_of_query(head.query());
  require(!sid || is_plausible_sid(*sid), "a sid of a query is plausible");
  require(!sid || !is_polling_handshake(head), "a handshake has no sid");
  check_rewriting(head.headers);
  check_forwarding(std::move(head), (seed & 1) != 0);

  const std::string_view body(input.data(), input.size());
  const std::vector<std::string_view> whole{body};
  const auto packet = open_packet_of(whole);
  require_equal(packet, open_packet_of(octets_of(body)), "octet by octet");
  require_equal(packet, open_packet_of(cuts_of(body, seed)), "in pieces");
  return 0;
}
