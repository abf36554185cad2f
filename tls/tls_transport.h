// TLS between a Stream and its socket. Private to tls/.
//
// OpenSSL reads through a BIO of ours that remembers a short read: the socket is then known to be
// empty, and the read that would only say EAGAIN is not made.
#pragma once

#include <openssl/ssl.h>

#include <memory>

#include "net/transport.h"
#include "tls/alpn.h"
#include "tls/handles.h"

namespace usher::tls {

std::unique_ptr<net::Transport> make_tls_transport(SslPtr ssl, const AlpnProtocols& alpn);

}  // namespace usher::tls
