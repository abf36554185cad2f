// What a TLS listener serves: certificates chosen by SNI (exact name, then one-label wildcard, then
// the first), protocol versions, ciphers. Immutable once made; any thread may make transports from
// it.
//
// Versions and ciphers follow Mozilla's intermediate profile; renegotiation, compression and 0-RTT
// are off.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "conf/settings.h"
#include "net/transport.h"
#include "tls/alpn.h"
#include "tls/self_signed.h"

namespace usher::tls {

class ServerContext final {
 public:
  // With no certificate in the settings, `fallback` is served. An error names the file.
  static Result<std::unique_ptr<ServerContext>> make(const conf::TlsSettings& settings,
                                                     const PemPair* fallback);
  ~ServerContext();

  // The server's side of one connection.
  std::unique_ptr<net::Transport> make_transport(const AlpnProtocols& alpn) const;

 private:
  struct Impl;
  explicit ServerContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace usher::tls
