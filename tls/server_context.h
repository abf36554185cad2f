// What a TLS listener serves: certificates chosen by SNI (exact name, then one-label wildcard, then
// the first), protocol versions, ciphers. Immutable once made; any thread may make transports from
// it.
//
// Of several certificates for one name that have keys of different types (ECDSA, RSA) the one is
// shown that the client can verify; of one type the first. Versions and ciphers follow Mozilla's
// intermediate profile unless the settings say otherwise; renegotiation, compression and 0-RTT are
// off. A session is resumed by every context that has the secret of its ticket, until the ticket's
// lifetime is over; or, without tickets, by the context that keeps it in memory.
#pragma once

#include <memory>

#include "base/result.h"
#include "conf/settings.h"
#include "net/transport.h"
#include "tls/alpn.h"
#include "tls/credential.h"
#include "tls/ticket_secrets.h"

namespace usher::tls {

// Those of the settings, in their order. An error names the file.
Result<Credentials> load_credentials(const conf::TlsSettings& settings, const Files& files = {});

class ServerContext final {
 public:
  // The first credential is the default; without ticket secrets there are no tickets. An error
  // names the setting or the file.
  static Result<std::unique_ptr<ServerContext>> make(const conf::TlsSettings& settings,
                                                     Credentials credentials,
                                                     const TicketSecrets& tickets = {},
                                                     const Files& files = {});
  ~ServerContext();

  // The server's side of one connection.
  std::unique_ptr<net::Transport> make_transport(const AlpnProtocols& alpn) const;
  const Credentials& credentials() const;

 private:
  struct Impl;
  explicit ServerContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace usher::tls
