// The client's side of TLS: whom we trust, and who we are. Made once and immutable; any thread may
// make transports from it.
//
// TLS 1.2 and 1.3 with the ciphers of our listeners. The server's certificate must lead to a
// trusted authority and name the peer (RFC 6125: a DNS name, or the very address); a name is sent
// as SNI (RFC 6066 section 3).
#pragma once

#include <memory>
#include <string>

#include "base/files.h"
#include "base/result.h"
#include "net/transport.h"

namespace usher::tls {

struct ClientTls {
  std::string ca;     // PEM file of the authorities to trust; empty: the system's
  std::string chain;  // PEM files of our own certificate, for a server that asks for one; or empty
  std::string key;
  bool verify = true;  // false: whoever answers is believed
};

class ClientContext final {
 public:
  // An error names the file.
  static Result<std::shared_ptr<const ClientContext>> make(const ClientTls& settings,
                                                           const Files& files = {});
  ~ClientContext();

  // The client's side of one connection to `peer`: a host name, or an address without brackets. A
  // refused certificate is an error of the handshake, which names the peer and the reason.
  std::unique_ptr<net::Transport> make_transport(const std::string& peer) const;

 private:
  struct Impl;
  explicit ClientContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace usher::tls
