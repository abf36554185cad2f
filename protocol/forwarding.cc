#include "protocol/forwarding.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/address.h"
#include "protocol/field_rules.h"

namespace usher::protocol {
namespace {

constexpr std::string_view forwarded_family = "x-forwarded-";
constexpr std::string_view certificate_subject = "X-Client-Cert-Subject";
constexpr std::string_view certificate_fingerprint = "X-Client-Cert-Fingerprint";
// Names up to this length have a bit each, and are compared without an allocation.
constexpr size_t usual_identity = 62;

bool is_forwarded_family(std::string_view name) {
  return starts_with_canonical(name, forwarded_family) || equals_canonical(name, "x-real-ip") ||
         equals_canonical(name, "forwarded");
}

bool is_certificate_field(std::string_view name) {
  return equals_canonical(name, "x-client-cert-subject") ||
         equals_canonical(name, "x-client-cert-fingerprint");
}

// Those that a replica gets exactly once, from us.
bool is_set_here(std::string_view name) {
  constexpr std::array<std::string_view, 6> names{"x-forwarded-for",  "x-forwarded-proto",
                                                  "x-forwarded-host", "x-forwarded-port",
                                                  "x-real-ip",        "forwarded"};
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view set) { return equals_canonical(name, set); });
}

// "203.0.113.7", "203.0.113.7:4711", "[2001:db8::1]:4711" or "2001:db8::1".
std::optional<SocketAddress> parse_forwarded_for(std::string_view element) {
  if (const auto address = SocketAddress::from_ip(element, 0)) return address;
  if (element.starts_with('[')) {
    return SocketAddress::from_ip(cut(element.substr(1), ']').first, 0);
  }
  const auto [ip, port] = cut(element, ':');
  return port ? SocketAddress::from_ip(ip, 0) : std::nullopt;
}

constexpr uint64_t length_bit(size_t length) {
  return uint64_t{1} << std::min(length, usual_identity + 1);
}

std::string join(const std::vector<std::string>& hops) {
  std::string chain = hops.front();
  for (size_t i = 1; i < hops.size(); ++i)
    chain.append(", ").append(hops[i]);
  return chain;
}

// What a trusted peer said; absent: nothing usable.
struct Believed {
  std::optional<std::string_view> proto, host, port, real_ip;

  explicit Believed(const Headers& headers) {
    proto = scheme_of(headers.get("X-Forwarded-Proto"));
    host = not_empty(headers.get("X-Forwarded-Host"));
    port = not_empty(headers.get("X-Forwarded-Port"));
    if (port && !parse_decimal<uint16_t>(*port)) port.reset();
    real_ip = not_empty(headers.get("X-Real-IP"));
  }

 private:
  static std::optional<std::string_view> not_empty(std::optional<std::string_view> value) {
    return value && !value->empty() ? value : std::nullopt;
  }

  // The scheme at the outermost proxy; uvicorn takes the exact words only.
  static std::optional<std::string_view> scheme_of(std::optional<std::string_view> value) {
    if (!value) return std::nullopt;
    const auto first = trim(cut(*value, ',').first);
    if (equals_ignoring_case(first, "https") || equals_ignoring_case(first, "wss")) return "https";
    if (equals_ignoring_case(first, "http") || equals_ignoring_case(first, "ws")) return "http";
    return std::nullopt;
  }
};

}  // namespace

bool contains(const conf::Cidr& network, std::span<const uint8_t> ip) {
  if (network.address.size() != ip.size()) return false;
  const size_t whole = network.bits / 8;
  if (!std::equal(ip.begin(), ip.begin() + static_cast<ptrdiff_t>(whole),
                  network.address.begin())) {
    return false;
  }
  const int rest = network.bits % 8;
  if (rest == 0) return true;
  return ((ip[whole] ^ network.address[whole]) >> (8 - rest)) == 0;
}

bool in_any(const std::vector<conf::Cidr>& networks, std::span<const uint8_t> ip) {
  return std::any_of(networks.begin(), networks.end(),
                     [ip](const conf::Cidr& network) { return contains(network, ip); });
}

void strip_hop_by_hop(Headers& headers) {
  // Tokens of Connection beyond the usual ones name further fields; there rarely are any.
  std::vector<std::string_view> named;
  bool trailers = false;
  for (const Field& field : headers) {
    if (!field.is(hop_by_hop)) continue;
    if (equals_ignoring_case(field.name, "te")) trailers |= list_has_token(field.value, "trailers");
    if (!equals_ignoring_case(field.name, "connection")) continue;
    any_element(field.value, [&](std::string_view option) {
      const auto rules = rules_of(option);
      const bool usual = (rules & (hop_by_hop | kept_from_connection)) != 0;
      if (!usual && !equals_ignoring_case(option, "close")) named.push_back(option);
      return false;
    });
  }
  headers.remove_if([&](const Field& field) {
    if (field.is(hop_by_hop | framing_field)) return true;
    return std::any_of(named.begin(), named.end(), [&](std::string_view option) {
      return equals_ignoring_case(option, field.name);
    });
  });
  if (trailers) headers.append("TE", "trailers");
}

Forwarding::Forwarding(const conf::ForwardedSettings& settings)
    : trusted_(settings.trusted),
      client_header_(settings.client_header),
      by_chain_(equals_ignoring_case(client_header_, "x-forwarded-for")),
      recursive_(settings.recursive) {
  for (const std::string& name : settings.strip)
    add_identity(name);
  for (const std::string& name : settings.strip_also)
    add_identity(name);
  // X-Forwarded-For is written anew anyway. Without any identity headers, as under an nginx.conf,
  // this is none either.
  if (!identity_.empty() && !by_chain_) add_identity(client_header_);
}

void Forwarding::add_identity(std::string_view name) {
  if (name.empty()) return;
  std::string canonical(name);
  std::transform(name.begin(), name.end(), canonical.begin(), to_canonical);
  lengths_[static_cast<uint8_t>(canonical.front()) & 127] |= length_bit(canonical.size());
  identity_.insert(std::move(canonical));
}

Forwarding::Forwarding(const conf::ForwardedSettings& settings, const conf::TrustSettings& of_route)
    : Forwarding({.trusted = of_route.trusted,
                  .client_header = of_route.client_header,
                  .recursive = of_route.recursive,
                  .strip_also = settings.strip_also,
                  .strip = settings.strip}) {}

bool Forwarding::trusts(std::span<const uint8_t> ip) const { return in_any(trusted_, ip); }

void Forwarding::add_forwarded(RequestHead& head, const ClientFacts& client) const {
  const std::string_view own_scheme = client.secure ? "https" : "http";
  std::array<char, 8> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), client.local_port).ptr;
  const std::string_view own_port(digits.data(), static_cast<size_t>(end - digits.data()));

  Headers& headers = head.headers;
  if (!client.certificate_subject.empty()) {
    headers.append(certificate_subject, client.certificate_subject);
    headers.append(certificate_fingerprint, client.certificate_fingerprint);
  }
  const bool trusted = trusts(client.ip);
  const auto replace = [&](std::string_view chain, std::string_view proto, std::string_view host,
                           std::string_view port, std::string_view real_ip) {
    // Values that are kept point into memory of the headers, which outlives their fields.
    headers.remove_if([&](const Field& field) {
      if (!is_forwarded_family(field.name)) return false;
      const bool believed = trusted && is_plain_name(field.name);
      return !believed || is_set_here(field.name);
    });
    headers.append("X-Forwarded-For", chain);
    headers.append("X-Forwarded-Proto", proto);
    headers.append("X-Forwarded-Host", host);
    headers.append("X-Forwarded-Port", port);
    headers.append("X-Real-IP", real_ip);
  };
  if (!trusted)
    return replace(client.ip_text, own_scheme, head.authority, own_port, client.ip_text);

  const Believed believed(headers);
  const std::vector<std::string> hops = believable_hops(headers, client);
  const std::string chain = join(hops);
  const std::string_view who = client_among(hops);
  // With a header of its own the proxy leaves X-Real-IP to whoever sends one.
  const std::string_view real_ip = by_chain_ && recursive_ ? believed.real_ip.value_or(who) : who;
  replace(chain, believed.proto.value_or(own_scheme), believed.host.value_or(head.authority),
          believed.port.value_or(own_port), real_ip);
}

bool Forwarding::is_secure(const Headers& headers, const ClientFacts& client) const {
  return client.secure || (trusts(client.ip) && Believed(headers).proto == "https");
}

std::string Forwarding::forwarded_for(const Headers& headers, const ClientFacts& client) const {
  return join(believable_hops(headers, client));
}

bool Forwarding::is_identity(std::string_view name) const {
  if (name.empty()) return false;
  const auto first = static_cast<uint8_t>(to_canonical(name.front())) & 127;
  if ((lengths_[first] & length_bit(name.size())) == 0) return false;
  if (name.size() > usual_identity) {
    std::string canonical(name);
    std::transform(name.begin(), name.end(), canonical.begin(), to_canonical);
    return identity_.contains(canonical);
  }
  std::array<char, usual_identity> canonical;
  std::transform(name.begin(), name.end(), canonical.begin(), to_canonical);
  return identity_.find(std::string_view(canonical.data(), name.size())) != identity_.end();
}

void Forwarding::strip_identity(Headers& headers, const ClientFacts& client) const {
  const bool trusted = trusts(client.ip);
  headers.remove_if([&](const Field& field) {
    return is_certificate_field(field.name) || (!trusted && is_identity(field.name));
  });
}

void Forwarding::strip_trailers(Headers& trailers, const ClientFacts& client) const {
  strip_identity(trailers, client);
  trailers.remove_if([&](const Field& field) {
    return field.is(not_in_trailers) || are_twins(field.name, client_header_);
  });
}

std::string Forwarding::client_address(const Headers& headers, const ClientFacts& client) const {
  return client_among(believable_hops(headers, client));
}

const std::string& Forwarding::client_among(const std::vector<std::string>& hops) const {
  return recursive_ || hops.size() < 2 ? hops.front() : hops[hops.size() - 2];
}

// From the client to the peer. Walked from the nearest hop outwards: each trusted one vouches for
// the next, and what stands before the first stranger is that stranger's own claim.
std::vector<std::string> Forwarding::believable_hops(const Headers& headers,
                                                     const ClientFacts& client) const {
  std::vector<std::string> hops{std::string(client.ip_text)};
  if (!trusts(client.ip)) return hops;

  std::vector<std::string_view> said;
  for (const Field& field : headers) {
    if (!equals_ignoring_case(field.name, client_header_)) continue;
    any_element(field.value, [&](std::string_view hop) {
      said.push_back(hop);
      return false;
    });
  }
  for (auto hop = said.rbegin(); hop != said.rend(); ++hop) {
    const auto address = parse_forwarded_for(*hop);
    if (!address) break;
    hops.push_back(address->ip());
    if (!trusts(address->ip_bytes())) break;
  }
  std::reverse(hops.begin(), hops.end());
  return hops;
}

}  // namespace usher::protocol
