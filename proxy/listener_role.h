// What a listener says of the connections it accepts. Immutable; shared by all workers, and lives
// as long as a connection that came in by it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "net/transport.h"
#include "protocol/forwarding.h"
#include "routing/routes.h"
#include "tls/alpn.h"

namespace usher::proxy {

// Of one listening address, by all workers; stays when a reload changes what is served there.
struct ListenerCounters {
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> connections{0};  // open now
  // Of handshakes that ended well: by TlsVersion, and by whether they resumed a session.
  std::array<std::array<std::atomic<uint64_t>, 2>, 3> handshakes{};
};

struct ListenerRole {
  bool tls = false;
  tls::AlpnProtocols alpn{{}};
  bool redirect_to_https = false;
  uint16_t https_port = 443;  // where that redirect leads
  routing::Entrance entrance{};
  bool proxy_protocol = false;
  std::vector<conf::Cidr> balancers{};  // who may speak it; empty: whom all routes believe
  std::shared_ptr<ListenerCounters> counters = std::make_shared<ListenerCounters>();
};

}  // namespace usher::proxy
