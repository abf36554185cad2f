#include "protocol/framing.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/address.h"
#include "base/random.h"
#include "base/strings.h"
#include "protocol/handshake.h"
#include "protocol/head_scanner.h"
#include "protocol/octets.h"

namespace usher::protocol {
namespace {

Fault bad(std::string_view detail) { return {Errc::bad_request, detail}; }

// What the fields say that has to do with framing and with the connection, in one pass.
struct FramingFields {
  size_t hosts = 0;
  std::string_view host;
  size_t lengths = 0;
  std::string_view length;
  size_t codings = 0;       // fields
  std::string_view coding;  // of the first
  size_t connection_options = 0;
  bool close = false;
  bool keep_alive = false;
  bool connection_upgrade = false;
  bool upgrade_websocket = false;
  size_t expectations = 0;
  bool expects_other = false;

  explicit FramingFields(const Headers& headers) {
    for (const Field& field : headers)
      read(field);
  }

 private:
  void read(const Field& field) {
    const auto is = [&](std::string_view name) { return equals_ignoring_case(field.name, name); };
    switch (field.name.size()) {
      case 4:
        if (is("host")) ++hosts, host = field.value;
        return;
      case 6:
        if (is("expect")) read_expect(field.value);
        return;
      case 7:
        if (is("upgrade")) upgrade_websocket |= list_has_token(field.value, "websocket");
        return;
      case 10:
        if (is("connection")) read_connection(field.value);
        return;
      case 14:
        if (is("content-length")) ++lengths, length = field.value;
        return;
      case 17:
        if (is("transfer-encoding") && ++codings == 1) coding = field.value;
        return;
      default: return;
    }
  }

  void read_connection(std::string_view value) {
    any_element(value, [&](std::string_view option) {
      ++connection_options;
      close |= equals_ignoring_case(option, "close");
      keep_alive |= equals_ignoring_case(option, "keep-alive");
      connection_upgrade |= equals_ignoring_case(option, "upgrade");
      return false;
    });
  }

  void read_expect(std::string_view value) {
    ++expectations;
    expects_other |= !equals_ignoring_case(value, "100-continue");
  }
};

bool is_host(std::string_view host) {
  if (host.starts_with('[')) {
    return host.ends_with(']') && host.find(':') != std::string_view::npos &&
           SocketAddress::from_ip(host.substr(1, host.size() - 2), 0).has_value();
  }
  return is_all(host, authority_octet);
}

// uri-host [":" port], without userinfo (RFC 9112 section 3.2); an empty port is left out (RFC 3986
// section 3.2.3). Of what a registered name may be made of, percent-encoding is refused: no host
// has it, and the next reader may stumble. Nothing: malformed.
std::optional<std::string_view> read_authority(std::string_view authority) {
  const auto bracket = authority.rfind(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const auto host = authority.substr(0, colon);
  if (!is_host(host)) return std::nullopt;
  if (colon == std::string_view::npos) return authority;
  const auto port = authority.substr(colon + 1);
  if (port.empty()) return host;
  const bool good = port.size() <= 5 && parse_decimal<uint16_t>(port);
  return good ? std::optional(authority) : std::nullopt;
}

// "http://host:port/path" becomes "/path", its authority the request's, whatever Host says (RFC
// 9112 section 3.2.2).
Fault take_absolute_form(RequestHead& head, std::string_view scheme) {
  const auto rest = head.target.substr(scheme.size());
  const auto slash = rest.find_first_of("/?");
  const auto authority = rest.substr(0, slash);
  const auto path = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash);
  const auto read = read_authority(authority);
  if (!read) return bad("malformed authority in the request target");
  head.authority = *read;
  if (path.empty()) {
    head.target = head.method == "OPTIONS" ? "*" : "/";
  } else if (path.front() == '?') {
    std::string target("/");
    target.append(path);
    head.target = head.headers.keep(target);
  } else {
    head.target = path;
  }
  return {};
}

Fault check_target(RequestHead& head) {
  if (head.target.starts_with('/')) return {};
  if (starts_with_ignoring_case(head.target, "http://")) return take_absolute_form(head, "http://");
  if (starts_with_ignoring_case(head.target, "https://"))
    return take_absolute_form(head, "https://");
  if (head.target == "*" && head.method == "OPTIONS") return {};
  return bad("request target of an unknown form");
}

Fault check_host(RequestHead& head, const FramingFields& fields) {
  if (fields.hosts > 1) return bad("more than one Host");
  // HTTP/1.0 knew no Host; load balancers' probes still send none.
  if (fields.hosts == 0) return head.minor_version == 0 ? Fault{} : bad("no Host");
  const auto host = read_authority(fields.host);
  if (!host) return bad("malformed Host");
  head.authority = *host;
  return {};
}

// RFC 9112 section 6.1. Only a single "chunked" is understood. What is well-formed but unknown is
// "not implemented"; chunked that is repeated, not last or has parameters cannot be framed by
// anyone.
Fault check_coding(const Headers& headers, const FramingFields& fields) {
  if (fields.codings == 1 && equals_ignoring_case(fields.coding, "chunked")) return {};
  size_t codings = 0;
  size_t chunked = 0;
  bool chunked_last = false;
  bool malformed = false;
  for (const Field& field : headers) {
    if (!equals_ignoring_case(field.name, "transfer-encoding")) continue;
    malformed |= field.value.empty();
    any_element(field.value, [&](std::string_view element) {
      const auto name = trim(cut(element, ';').first);
      malformed |= !is_all(name, token_octet);
      chunked_last = equals_ignoring_case(name, "chunked");
      malformed |= chunked_last && name.size() != element.size();
      chunked += chunked_last;
      ++codings;
      return false;
    });
  }
  // One chunked among empty elements, which RFC 9110 section 5.6.1 would overlook, is malformed
  // too.
  if (malformed || codings == chunked) return bad("malformed Transfer-Encoding");
  if (chunked > 1 || (chunked == 1 && !chunked_last))
    return bad("chunked is not the last coding once");
  return {Errc::not_implemented, "transfer coding"};
}

std::optional<uint64_t> parse_length(std::string_view text) {
  const auto length = parse_decimal<uint64_t>(text);
  if (!length || *length > std::numeric_limits<int64_t>::max()) return std::nullopt;
  return length;
}

// Each option may name a field to remove: thousands of them would cost a search of all fields each.
constexpr size_t connection_options_limit = 64;

// The part that requests and responses share. `framing` stays as it was when no field says
// anything.
Fault frame(const Headers& headers, const FramingFields& fields, uint8_t minor_version,
            BodyFraming& framing) {
  if (fields.connection_options > connection_options_limit)
    return bad("too many connection options");
  if (fields.codings > 0) {
    if (minor_version == 0) return bad("Transfer-Encoding in HTTP/1.0");
    if (fields.lengths > 0) return bad("Content-Length beside Transfer-Encoding");
    if (const auto fault = check_coding(headers, fields)) return fault;
    framing = {BodyKind::chunked, 0};
    return {};
  }
  if (fields.lengths == 0) return {};
  if (fields.lengths > 1) return bad("more than one Content-Length");
  const auto length = parse_length(fields.length);
  if (!length) return bad("malformed Content-Length");
  framing = {BodyKind::length, *length};
  return {};
}

bool persists(const FramingFields& fields, uint8_t minor_version) {
  return !fields.close && (minor_version > 0 || fields.keep_alive);
}

// RFC 9110 section 10.1.1: HTTP/1.0 clients do not know it; without a body it means nothing.
Fault check_expectation(RequestHead& head, const FramingFields& fields) {
  const bool ignored = head.minor_version == 0 || head.body.kind == BodyKind::none;
  if (fields.expects_other && head.minor_version > 0) return {Errc::expectation_failed, "Expect"};
  head.expects_continue = fields.expectations > 0 && !ignored;
  if (fields.expectations > 0 && ignored) head.headers.remove("Expect");
  if (fields.expectations > 1 && !ignored) head.headers.set("Expect", "100-continue");
  return {};
}

Fault frame_checked(RequestHead& head) {
  const FramingFields fields(head.headers);
  if (const auto fault = check_host(head, fields)) return fault;
  if (const auto fault = check_target(head)) return fault;

  head.body = {};
  if (const auto fault = frame(head.headers, fields, head.minor_version, head.body)) return fault;
  head.keep_alive = persists(fields, head.minor_version);
  if (const auto fault = check_expectation(head, fields)) return fault;

  // RFC 9110 section 7.8: an Upgrade that Connection does not name, or in HTTP/1.0, is none. With
  // another method a websocket cannot be meant, and an upgrade may always be ignored.
  head.wants_websocket = fields.upgrade_websocket && fields.connection_upgrade &&
                         head.method == "GET" && head.minor_version > 0;
  if (!head.wants_websocket) return {};
  if (const auto fault = check_websocket_request(head)) return fault;
  head.body = {};
  return {};
}

// Sixteen octets in base64, as the handshake of HTTP/1.1 wants them.
std::string make_websocket_key() {
  std::string key = to_base64url(random_bytes<16>());
  std::replace(key.begin(), key.end(), '-', '+');
  std::replace(key.begin(), key.end(), '_', '/');
  return key + "==";
}

Fault check_authority(RequestHead& head, const PseudoFields& pseudo, const FramingFields& fields) {
  if (pseudo.authority.empty()) return check_host(head, fields);
  const auto authority = read_authority(pseudo.authority);
  if (!authority) return bad("malformed :authority");
  if (fields.hosts > 1) return bad("more than one Host");
  if (fields.hosts == 1 && !equals_ignoring_case(fields.host, pseudo.authority))
    return bad("Host differs from :authority");
  head.authority = *authority;
  head.headers.remove("host");
  return {};
}

Fault frame_checked(RequestHead& head, const PseudoFields& pseudo, bool ended) {
  head.method = pseudo.method;
  head.target = pseudo.path;
  head.minor_version = 1;
  const bool connects = head.method == "CONNECT" && !pseudo.protocol.empty();
  if (connects && pseudo.protocol != "websocket") {
    return {Errc::not_implemented, "CONNECT to another protocol than websocket"};
  }
  if (!connects) {
    if (const auto fault = check_method(head.method)) return fault;
  }
  if (pseudo.scheme != "http" && pseudo.scheme != "https") return bad("scheme is not http");
  const bool origin_form = head.target.starts_with('/') && is_all(head.target, target_octet);
  if (!origin_form && (head.target != "*" || head.method != "OPTIONS"))
    return bad("malformed :path");

  const FramingFields fields(head.headers);
  if (const auto fault = check_authority(head, pseudo, fields)) return fault;
  head.body = {};
  if (const auto fault = frame(head.headers, fields, head.minor_version, head.body)) return fault;
  if (ended && head.body.length > 0) return bad("Content-Length without a body");
  if (!ended && head.body.kind == BodyKind::none) head.body = {BodyKind::chunked, 0};
  head.wants_websocket = connects;
  if (!connects) return check_expectation(head, fields);

  head.method = "GET";
  head.body = {};
  head.headers.remove("Expect");
  head.headers.set("Sec-WebSocket-Key", make_websocket_key());
  return check_websocket_request(head);
}

Fault frame_checked(ResponseHead& head, std::string_view request_method) {
  const FramingFields fields(head.headers);
  head.announced_length.reset();
  BodyFraming said{BodyKind::until_close, 0};
  if (const auto fault = frame(head.headers, fields, head.minor_version, said)) return fault;
  head.keep_alive = persists(fields, head.minor_version);
  head.requires_websocket = head.status == 426 && fields.upgrade_websocket;

  const bool interim = head.status < 200;
  const bool never_has_body = interim || head.status == 204;
  if (!never_has_body && head.status != 304 && request_method != "HEAD") {
    head.body = said;
    head.keep_alive &= said.kind != BodyKind::until_close;
    return {};
  }

  head.body = {};
  const bool says_body = said.kind == BodyKind::chunked || said.length > 0;
  if (interim && says_body) return bad("interim response with a body");
  if (never_has_body) {
    // RFC 9110 section 8.6: a server must not; whether a body follows is anyone's guess.
    head.keep_alive &= !says_body;
  } else if (said.kind == BodyKind::length) {
    head.announced_length = said.length;
  }
  return {};
}

}  // namespace

void PseudoFields::set(std::string_view name, std::string_view value) {
  if (name == ":method") method = value;
  if (name == ":scheme") scheme = value;
  if (name == ":authority") authority = value;
  if (name == ":path") path = value;
  if (name == ":protocol") protocol = value;
}

Outcome frame_request(RequestHead& head) {
  if (const auto fault = frame_checked(head)) {
    return Error{fault.code, Side::client, std::string(fault.detail)};
  }
  return {};
}

Outcome frame_request(RequestHead& head, const PseudoFields& pseudo, bool ended) {
  if (const auto fault = frame_checked(head, pseudo, ended)) {
    return Error{fault.code, Side::client, std::string(fault.detail)};
  }
  return {};
}

Outcome frame_response(ResponseHead& head, std::string_view request_method) {
  if (const auto fault = frame_checked(head, request_method)) {
    return Error{Errc::replica_bad_response, Side::replica, std::string(fault.detail)};
  }
  return {};
}

}  // namespace usher::protocol
