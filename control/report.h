// What the process tells of itself: GET /metrics for Prometheus, GET /api/status for programs.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/certificate_keeper.h"
#include "control/descriptors.h"
#include "control/health_checker.h"
#include "proxy/counters.h"
#include "proxy/listener_role.h"
#include "proxy/route_counters.h"
#include "proxy/snapshot.h"
#include "routing/store_status.h"

namespace usher::control {

struct ListenerFacts {
  std::string url;
  bool tls = false;
  const proxy::ListenerCounters& counters;
};

struct ReportFacts {
  std::string node;
  MonotonicTime started;
  MonotonicTime now;
  const proxy::Snapshot& snapshot;
  const HealthChecker& health;
  std::vector<const proxy::WorkerCounters*> workers;
  std::vector<const proxy::RouteTraffic*> routes;  // of each worker
  std::vector<ListenerFacts> listeners;
  std::string store_url;  // without its password
  routing::StoreState store_state;
  bool announcements_heard = true;  // of other nodes
  uint64_t store_calls = 0;
  uint64_t store_failures = 0;
  uint64_t store_timeouts = 0;
  Histogram::Reading store_round_trips{};
  uint64_t log_lines_dropped = 0;
  DescriptorLimit descriptors{};
  uint64_t most_connections = 0;  // of clients, that the descriptors allow
  std::vector<CertificateProblem> certificate_problems{};
  bool draining = false;
};

std::string make_metrics(const ReportFacts& facts);
std::string make_status(const ReportFacts& facts);
// The versions of its replicas that are not down.
std::set<std::string> versions_of(const routing::Upstream& upstream);
// One replica, as in the status.
std::string describe_replica(const routing::Upstream& upstream, const routing::Replica& replica,
                             const HealthChecker& health, MonotonicTime now);

}  // namespace usher::control
