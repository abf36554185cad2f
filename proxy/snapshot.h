// What the workers believe: settings, routes, replicas, certificates, secrets. Immutable and whole;
// the control thread makes a new one for every change, and whatever began under an old one keeps
// it.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "conf/settings.h"
#include "protocol/forwarding.h"
#include "routing/affinity_cookie.h"
#include "routing/replica.h"
#include "routing/routes.h"
#include "tls/server_context.h"

namespace usher::proxy {

struct Snapshot {
  Snapshot(conf::Settings from, std::vector<routing::Upstream> with,
           std::shared_ptr<const tls::ServerContext> certificates,
           routing::AffinitySecrets signed_with)
      : settings(std::move(from)),
        routes(settings.routes),
        upstreams(std::move(with)),
        forwarding(settings.forwarded),
        tls(std::move(certificates)),
        secrets(std::move(signed_with)) {}

  const routing::Upstream* upstream(std::string_view name) const {
    for (const routing::Upstream& each : upstreams) {
      if (each.name == name) return &each;
    }
    return nullptr;
  }

  conf::Settings settings;
  routing::RouteTable routes;
  std::vector<routing::Upstream> upstreams;
  protocol::Forwarding forwarding;
  // Shared by successive snapshots: a new list of replicas does not load the certificates again.
  std::shared_ptr<const tls::ServerContext> tls;  // nullptr: no listener speaks TLS
  routing::AffinitySecrets secrets;
};

}  // namespace usher::proxy
