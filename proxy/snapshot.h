// What the workers believe: settings, routes, replicas, certificates, secrets. Immutable and whole;
// the control thread makes a new one for every change, and whatever began under an old one keeps
// it.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conf/settings.h"
#include "net/transport.h"
#include "protocol/forwarding.h"
#include "proxy/file_types.h"
#include "proxy/limit_zones.h"
#include "proxy/log_plan.h"
#include "proxy/password_file.h"
#include "proxy/value_maps.h"
#include "routing/affinity_cookie.h"
#include "routing/replica.h"
#include "routing/routes.h"
#include "tls/client_context.h"
#include "tls/server_context.h"

namespace usher::proxy {

// By the upstream's name.
using ReplicaTls = std::map<std::string, std::shared_ptr<const tls::ClientContext>, std::less<>>;

struct Snapshot {
  Snapshot(conf::Settings from, std::vector<routing::Upstream> with,
           std::shared_ptr<const tls::ServerContext> certificates, ReplicaTls trust,
           routing::AffinitySecrets signed_with, LimitZones counted_in, PasswordFiles known_names,
           std::shared_ptr<const LogPlan> log_plan)
      : settings(std::move(from)),
        routes(settings.routes, settings.forwarded),
        maps(settings.maps),
        file_types(settings.types),
        upstreams(std::move(with)),
        forwarding(settings.forwarded),
        tls(std::move(certificates)),
        replica_tls(std::move(trust)),
        secrets(std::move(signed_with)),
        limit_zones(std::move(counted_in)),
        passwords(std::move(known_names)),
        logs(std::move(log_plan)),
        keeps_asked_names(conf::mentions(settings, conf::Variable::ssl_server_name)) {}

  const routing::Upstream* upstream(std::string_view name) const {
    for (const routing::Upstream& each : upstreams) {
      if (each.name == name) return &each;
    }
    return nullptr;
  }

  // Is it a proxy to any route? Then it is no client.
  bool any_trusts(std::span<const uint8_t> ip) const {
    return forwarding.trusts(ip) || routes.any_trusts(ip);
  }

  // nullptr: no replica of that upstream speaks https.
  std::shared_ptr<const tls::ClientContext> tls_to(std::string_view upstream) const {
    const auto found = replica_tls.find(upstream);
    return found == replica_tls.end() ? nullptr : found->second;
  }
  // What a new connection to that replica speaks through.
  std::unique_ptr<net::Transport> transport_to(const routing::Upstream& upstream,
                                               const routing::Replica& replica) const {
    if (replica.tls_peer.empty()) return net::make_plain_transport();
    return tls_to(upstream.name)->make_transport(replica.tls_peer);
  }

  conf::Settings settings;
  routing::RouteTable routes;
  ValueMaps maps;
  FileTypes file_types;
  std::vector<routing::Upstream> upstreams;
  protocol::Forwarding forwarding;  // of the routes that have none of their own
  // Shared by successive snapshots: a new list of replicas does not load the certificates again.
  std::shared_ptr<const tls::ServerContext> tls;  // nullptr: no listener speaks TLS
  ReplicaTls replica_tls;
  routing::AffinitySecrets secrets;
  LimitZones limit_zones;
  PasswordFiles passwords;  // of every route that asks for one
  std::shared_ptr<const LogPlan> logs;
  bool keeps_asked_names;  // of TLS connections, for as long as they live
};

}  // namespace usher::proxy
