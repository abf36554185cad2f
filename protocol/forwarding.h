// What is changed in a message on its way: hop-by-hop fields go, forwarding fields are added,
// identity fields that a client must not set are removed (RFC 9110 section 7.6.1;
// docs/operations.md).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/strings.h"
#include "conf/settings.h"
#include "protocol/message.h"

namespace usher::protocol {

// Removes Connection and what it names, Keep-Alive,
// Proxy and Proxy-* (but Proxy-Status), TE (but for "trailers"), Trailer, Transfer-Encoding,
// Content-Length (framing is rebuilt), Upgrade, HTTP2-Settings. Fields
// that a `Connection` token names are removed unless they are ones a message cannot do without
// (Host, Cookie, Authorization, …: a client must not make a proxy drop them).
void strip_hop_by_hop(Headers& headers);

// Who the client is, as the connection knows it.
struct ClientFacts {
  std::span<const uint8_t> ip;  // 4 or 16 bytes; empty for a unix socket
  std::string_view ip_text;
  bool secure = false;  // TLS on our side
  uint16_t local_port = 0;
  bool unknown_name = false;  // in the TLS handshake it asked for a name that is not served
  bool tls_1_3 = false;       // else 1.2, if secure
  uint16_t remote_port = 0;
  // Of its verified certificate; or empty.
  std::string_view certificate_subject = {};
  std::string_view certificate_fingerprint = {};
  uint64_t connection = 0;      // its number in this process
  uint64_t requests = 0;        // that it has made
  const char* tls_cipher = "";  // OpenSSL's name of the suite, a literal
};

// Is that address, of 4 or 16 bytes, in the network? Without any bytes it is that of a unix socket.
bool contains(const conf::Cidr& network, std::span<const uint8_t> ip);
bool in_any(const std::vector<conf::Cidr>& networks, std::span<const uint8_t> ip);

class Forwarding final {
 public:
  explicit Forwarding(const conf::ForwardedSettings& settings);
  // Of a route with proxies of its own.
  Forwarding(const conf::ForwardedSettings& settings, const conf::TrustSettings& of_route);

  // No bytes: a unix socket.
  bool trusts(std::span<const uint8_t> ip) const;

  // Sets X-Client-Cert-Subject and X-Client-Cert-Fingerprint if the client has shown a certificate,
  // and X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Port and X-Real-IP;
  // removes Forwarded and every other X-Forwarded-*, also with "_" or another mark for "-". From a
  // trusted peer, X-Forwarded-For is appended to and the others are believed. X-Forwarded-Proto is
  // exactly "http" or "https".
  void add_forwarded(RequestHead& head, const ClientFacts& client) const;

  // Whether the client came by https: to us, or as a trusted peer says.
  bool is_secure(const Headers& headers, const ClientFacts& client) const;

  // What X-Forwarded-For will tell: the hops that are believed, and the peer. From a trusted peer
  // they are read in `forwarded.client_header`.
  std::string forwarded_for(const Headers& headers, const ClientFacts& client) const;

  // Removes the identity headers, also with "_" or another mark for "-" (a CGI-like server would
  // read them alike). A trusted peer may set them, but for X-Client-Cert-Subject and -Fingerprint,
  // which only add_forwarded() sets. Trailers of a request want this too.
  void strip_identity(Headers& headers, const ClientFacts& client) const;

  // The same for a request's trailers, in which nobody says who the client is either.
  void strip_trailers(Headers& trailers, const ClientFacts& client) const;

  // The address that logs and limits speak of: the peer's, or from a trusted peer the rightmost
  // element of `forwarded.client_header` that is not itself trusted; without `forwarded.recursive`
  // the rightmost one.
  std::string client_address(const Headers& headers, const ClientFacts& client) const;

 private:
  std::vector<std::string> believable_hops(const Headers& headers, const ClientFacts& client) const;
  const std::string& client_among(const std::vector<std::string>& hops) const;
  bool is_identity(std::string_view name) const;
  void add_identity(std::string_view name);

  std::vector<conf::Cidr> trusted_;
  std::string client_header_;
  bool by_chain_;  // that is X-Forwarded-For
  bool recursive_;
  std::unordered_set<std::string, StringHash, std::equal_to<>>
      identity_;  // canonical (field_rules.h)
  // By first character, the lengths that names in identity_ have, the last bit being for all that
  // are longer: most fields are known to be none of them without a hash.
  std::array<uint64_t, 128> lengths_{};
};

}  // namespace usher::protocol
