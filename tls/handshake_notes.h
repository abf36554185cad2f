// What OpenSSL's callbacks read and write for one connection while its handshake lasts: the object
// behind SSL_get_app_data(). Private to tls/.
#pragma once

#include <cstdint>

#include "tls/alpn.h"
#include "tls/record_protection.h"

namespace usher::tls {

struct HandshakeNotes {
  const AlpnProtocols& alpn;  // what may be chosen
  // TLS 1.3: the first application traffic secrets (RFC 8446 section 7.1). Empty until known.
  TrafficSecret client_secret;
  TrafficSecret server_secret;
  uint64_t sealed = 0;        // records that server_secret has protected: session tickets
  bool unknown_name = false;  // the client asked for a name that no certificate is for
};

}  // namespace usher::tls
