// A client's connection that comes through a balancer: first the PROXY protocol's header, then what
// the connection speaks itself, TLS or plain.
#pragma once

#include <memory>

#include "net/transport.h"

namespace usher::proxy {

// `trusted`: the balancer may say where its clients come from. Nobody else is served: the handshake
// ends with an error, as it does without a header.
std::unique_ptr<net::Transport> make_proxy_protocol_transport(std::unique_ptr<net::Transport> inner,
                                                              bool trusted);

}  // namespace usher::proxy
