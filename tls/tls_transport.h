// TLS between a Stream and its socket. Private to tls/.
//
// OpenSSL reads through a BIO of ours that remembers a short read: the socket is then known to be
// empty, and the read that would only say EAGAIN is not made. While the handshake lasts, the BIO
// gives out one record at a time, so that what lies behind its end is still here: a TLS 1.3
// connection goes on in a Tls13Transport. TLS 1.2 stays with OpenSSL.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "net/transport.h"
#include "tls/alpn.h"
#include "tls/handles.h"

namespace usher::tls {

// The server's side. alpn outlives the transport.
std::unique_ptr<net::Transport> make_tls_transport(SslPtr ssl, const AlpnProtocols& alpn);
// The client's side; stays with OpenSSL. `peer` is the name in the error that refuses a
// certificate.
std::unique_ptr<net::Transport> make_tls_client_transport(SslPtr ssl, std::string peer);

}  // namespace usher::tls
