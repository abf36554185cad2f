// What a listener says of the connections it accepts. Lives as long as the worker.
#pragma once

#include <cstdint>

#include "tls/alpn.h"

namespace usher::proxy {

struct ListenerRole {
  bool tls = false;
  tls::AlpnProtocols alpn{{}};
  bool redirect_to_https = false;
  uint16_t https_port = 443;  // where that redirect leads
  uint16_t port = 0;
  bool proxy_protocol = false;
};

}  // namespace usher::proxy
