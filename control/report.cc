#include "control/report.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "control/metrics_text.h"

namespace usher::control {
namespace {

using Json = nlohmann::ordered_json;

std::string class_name(size_t index) { return index == 0 ? "none" : std::to_string(index) + "xx"; }

template <typename Pick>
uint64_t sum(const ReportFacts& facts, Pick pick) {
  uint64_t total = 0;
  for (const proxy::WorkerCounters* worker : facts.workers)
    total += pick(*worker).value();
  return total;
}

void add_traffic(MetricsText& text, const ReportFacts& facts) {
  using proxy::WorkerCounters;
  text.single("usher_connections", "gauge", "Client connections open now.",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.connections; }));
  text.single("usher_connections_limit", "gauge",
              "Client connections that the limit of open files allows.", facts.most_connections);
  text.single("usher_open_files_limit", "gauge", "The limit of open files.",
              facts.descriptors.soft);
  text.single("usher_idle_connections_closed_total", "counter",
              "Idle client connections that were closed because others needed their descriptors.",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.idle_closed; }));
  text.single("usher_connections_accepted_total", "counter", "Client connections accepted.",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.accepted; }));
  text.single("usher_flooders_refused_total", "counter",
              "Connections that were closed unheard because their address had flooded.",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.flooders_refused; }));
  text.single("usher_websockets", "gauge", "Websockets open now.",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.websockets; }));
  text.single("usher_websockets_opened_total", "counter", "Websockets opened.",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.websockets_opened; }));
  text.family("usher_websockets_closed_total", "counter", "Websockets closed, by who began.");
  for (const Side side : {Side::client, Side::replica, Side::usher}) {
    text.sample(label("by", name_of(side)),
                sum(
                    facts, [side](const WorkerCounters& w) -> auto& {
                      return w.websockets_closed[static_cast<size_t>(side)];
                    }));
  }
  text.family("usher_responses_total", "counter",
              "Responses by status class; none: the client had gone.");
  for (size_t i = 0; i < std::tuple_size_v<decltype(WorkerCounters::responses)>; ++i) {
    text.sample(label("class", class_name(i)),
                sum(
                    facts, [i](const WorkerCounters& w) -> auto& { return w.responses[i]; }));
  }
  text.family("usher_affinity_total", "counter", "Requests by how their replica was found.");
  for (size_t i = 0; i < std::tuple_size_v<decltype(WorkerCounters::affinity)>; ++i) {
    text.sample(label("outcome", name_of(static_cast<routing::AffinityOutcome>(i))),
                sum(
                    facts, [i](const WorkerCounters& w) -> auto& { return w.affinity[i]; }));
  }
  text.family("usher_errors_total", "counter",
              "What ended requests, connections and websockets before their time.");
  for (size_t i = 1; i < traffic_causes; ++i) {
    text.sample(label("cause", name_of(static_cast<Errc>(i))),
                sum(
                    facts, [i](const WorkerCounters& w) -> auto& { return w.errors[i]; }));
  }
  text.family(
      "usher_hints_total", "counter",
      "Responses that show a trouble with Open WebUI's websockets; the log says what to do.");
  for (size_t i = 0; i < proxy::troubles; ++i) {
    text.sample(label("cause", name_of(static_cast<proxy::Trouble>(i))),
                sum(
                    facts, [i](const WorkerCounters& w) -> auto& { return w.hints[i]; }));
  }
  text.family("usher_retries_total", "counter",
              "Attempts followed by another, by why they failed.");
  for (size_t i = 1; i < traffic_causes; ++i) {
    const auto cause = static_cast<Errc>(i);
    if (row_of(cause).retry == Retry::never) continue;
    text.sample(label("cause", name_of(cause)),
                sum(
                    facts, [i](const WorkerCounters& w) -> auto& { return w.retries[i]; }));
  }
  text.single("usher_retries_refused_total", "counter",
              "Attempts that the retry budget did not allow.",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.retries_refused; }));
  text.single("usher_sids_not_kept_total", "counter",
              "Polling sessions that are found by their client's cookie alone: its address has as "
              "many in the store as it may (limits.sids).",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.sids_not_kept; }));
  text.single("usher_requests_queued_total", "counter",
              "Requests that waited for a place at a full replica.",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.queued; }));
  text.single("usher_requests_held", "gauge", "Requests that wait because no replica is up.",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.held; }));
  text.family("usher_websocket_moves_total", "counter",
              "Websockets that left a replica, by why and by what came of it.");
  for (size_t reason = 0; reason < proxy::move_reasons; ++reason) {
    for (size_t outcome = 0; outcome < proxy::move_outcomes; ++outcome) {
      text.sample(label("reason", name_of(static_cast<proxy::MoveReason>(reason))) + "," +
                      label("outcome", name_of(static_cast<proxy::MoveOutcome>(outcome))),
                  sum(
                      facts, [ reason, outcome ](const WorkerCounters& w) -> auto& {
                        return w.moves[reason][outcome];
                      }));
    }
  }
  text.single("usher_websockets_moving", "gauge", "Websockets on their way to another replica.",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.moving; }));
  text.single("usher_websockets_parked", "gauge",
              "Of these, those that wait because no replica is up.",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.parked; }));
  text.single("usher_access_log_counted_total", "counter",
              "Requests that have no line in the access log, because log.count_only says so.",
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.lines_spared; }));
  text.family("usher_body_bytes_total", "counter",
              "Bytes of request (in) and response (out) bodies.");
  text.sample(label("direction", "in"),
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.bytes_in; }));
  text.sample(label("direction", "out"),
              sum(
                  facts, [](const WorkerCounters& w) -> auto& { return w.bytes_out; }));
}

void add_limits(MetricsText& text, const ReportFacts& facts) {
  text.single("usher_requests_delayed", "gauge", "Requests that wait until a rate allows them.",
              sum(
                  facts, [](const proxy::WorkerCounters& w) -> auto& { return w.delayed; }));
  const auto& zones = facts.snapshot.limit_zones;
  const auto sample = [&](const auto& zone, std::string_view outcome, uint64_t count) {
    text.sample(label("zone", zone.settings.name) + "," + label("outcome", outcome), count);
  };
  text.family("usher_rate_limited_requests_total", "counter",
              "Requests beyond the rate of a zone, by what became of them.");
  for (const auto& zone : zones.rates()) {
    sample(zone, "delayed", zone.counters->delayed);
    sample(zone, "refused", zone.counters->refused);
  }
  text.family("usher_connection_limited_requests_total", "counter",
              "Requests that a zone refused because their key had too many under way.");
  for (const auto& zone : zones.connections())
    text.sample(label("zone", zone.settings.name), zone.counters->refused);
}

void add_listeners(MetricsText& text, const ReportFacts& facts) {
  const auto all = [&](std::string_view name, std::string_view type, std::string_view help,
                       auto value) {
    text.family(name, type, help);
    for (const ListenerFacts& each : facts.listeners)
      text.sample(label("listener", each.url), value(each.counters));
  };
  all("usher_listener_connections", "gauge", "Client connections open now, by where they came in.",
      [](const proxy::ListenerCounters& counters) { return counters.connections.load(); });
  all("usher_listener_connections_accepted_total", "counter",
      "Client connections accepted, by where they came in.",
      [](const proxy::ListenerCounters& counters) { return counters.accepted.load(); });
  text.family("usher_tls_handshakes_total", "counter",
              "TLS handshakes with clients that ended well, by version and by whether they resumed "
              "a session. Those that failed are usher_errors_total.");
  for (const ListenerFacts& each : facts.listeners) {
    if (!each.tls) continue;
    for (const auto version : {net::TlsVersion::tls_1_2, net::TlsVersion::tls_1_3}) {
      for (const bool resumed : {false, true}) {
        text.sample(label("listener", each.url) + "," +
                        label("version", version == net::TlsVersion::tls_1_3 ? "1.3" : "1.2") +
                        "," + label("resumed", resumed ? "yes" : "no"),
                    each.counters.handshakes[static_cast<size_t>(version)][resumed].load());
      }
    }
  }
}

// Of all workers together.
struct RouteSum {
  std::array<uint64_t, 6> responses{};
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  Histogram::Reading durations;
  Histogram::Reading first_bytes;
};

void add_routes(MetricsText& text, const ReportFacts& facts) {
  std::map<proxy::RouteName, RouteSum> sums;
  for (const proxy::RouteTraffic* worker : facts.routes) {
    worker->visit([&](const proxy::RouteName& name, const proxy::RouteCounters& counters) {
      RouteSum& of_route = sums[name];
      for (size_t i = 0; i < of_route.responses.size(); ++i)
        of_route.responses[i] += counters.responses[i].value();
      of_route.bytes_in += counters.bytes_in.value();
      of_route.bytes_out += counters.bytes_out.value();
      of_route.durations += counters.durations.read();
      of_route.first_bytes += counters.first_bytes.read();
    });
  }
  const auto all = [&](std::string_view name, std::string_view type, std::string_view help,
                       auto add) {
    text.family(name, type, help);
    for (const auto& [route, of_route] : sums) {
      const auto& [host, path, match] = route;
      add(label("host", host) + "," + label("path", path) + "," + label("match", match), of_route);
    }
  };
  all("usher_route_responses_total", "counter", "Responses by route and status class.",
      [&](const std::string& labels, const RouteSum& of_route) {
        for (size_t i = 0; i < of_route.responses.size(); ++i)
          text.sample(labels + "," + label("class", class_name(i)), of_route.responses[i]);
      });
  all("usher_route_body_bytes_total", "counter",
      "Bytes of request (in) and response (out) bodies, by route.",
      [&](const std::string& labels, const RouteSum& of_route) {
        text.sample(labels + "," + label("direction", "in"), of_route.bytes_in);
        text.sample(labels + "," + label("direction", "out"), of_route.bytes_out);
      });
  all("usher_route_request_duration_seconds", "histogram",
      "From a request's head to the end of its response; not of websockets.",
      [&](const std::string& labels, const RouteSum& of_route) {
        text.sample(labels, of_route.durations);
      });
  all("usher_route_first_byte_seconds", "histogram",
      "From a request's head to the head of its response.",
      [&](const std::string& labels, const RouteSum& of_route) {
        text.sample(labels, of_route.first_bytes);
      });
}

template <typename Value>
void add_replicas(MetricsText& text, const ReportFacts& facts, std::string_view name,
                  std::string_view type, std::string_view help, Value value) {
  text.family(name, type, help);
  for (const routing::Upstream& upstream : facts.snapshot.upstreams) {
    for (const routing::Replica& replica : upstream.replicas) {
      text.sample(label("upstream", upstream.name) + "," + label("replica", replica.id),
                  value(*replica.status));
    }
  }
}

// Seconds until clients may no longer stay; nothing when there is no such limit.
std::optional<int64_t> drain_left(const routing::ReplicaStatus& status, MonotonicTime now) {
  const MonotonicTime until = status.drain_until();
  if (until == MonotonicTime::max()) return std::nullopt;
  return std::max<int64_t>(std::chrono::ceil<std::chrono::seconds>(until - now).count(), 0);
}

Json to_json(const routing::Upstream& upstream, const routing::Replica& replica,
             const HealthChecker& health, MonotonicTime now) {
  const routing::ReplicaStatus& status = *replica.status;
  Json json{{"id", replica.id},
            {"address", to_string(replica.address)},
            {"state", name_of(status.state())},
            {"in_flight", status.in_flight.load()},
            {"websockets", status.websockets.load()},
            {"websockets_moved", status.websockets_moved.load()},
            {"sessions", status.sessions.load()},
            {"queued", status.gate.waiting()},
            {"max_connections", upstream.max_connections},
            {"weight", replica.weight},
            {"backup", replica.backup},
            {"version", replica.version}};
  if (const auto left = drain_left(status, now)) json["drain_seconds_left"] = *left;
  if (std::string reason = health.reason_of(status); !reason.empty())
    json["reason"] = std::move(reason);
  if (!replica.name.empty()) json["name"] = replica.name;
  if (!replica.host.empty()) json["host"] = replica.host;
  return json;
}

}  // namespace

std::set<std::string> versions_of(const routing::Upstream& upstream) {
  std::set<std::string> versions;
  for (const routing::Replica& replica : upstream.replicas) {
    if (!replica.version.empty() && replica.status->serves_bound()) {
      versions.insert(replica.version);
    }
  }
  return versions;
}

std::string describe_replica(const routing::Upstream& upstream, const routing::Replica& replica,
                             const HealthChecker& health, MonotonicTime now) {
  return to_json(upstream, replica, health, now).dump();
}

std::string make_metrics(const ReportFacts& facts) {
  using routing::ReplicaStatus;
  MetricsText text;
  text.family("usher_build_info", "gauge", "The version that runs.");
  text.sample(label("version", USHER_VERSION), 1);
  const auto uptime =
      std::chrono::duration_cast<std::chrono::seconds>(facts.now - facts.started).count();
  text.single("usher_uptime_seconds", "gauge", "Seconds since the start.",
              static_cast<uint64_t>(uptime));
  text.single("usher_draining", "gauge", "1 while the process lets its clients finish.",
              facts.draining);
  add_traffic(text, facts);
  add_limits(text, facts);
  add_listeners(text, facts);
  add_routes(text, facts);
  add_replicas(text, facts, "usher_replica_up", "gauge", "1 if the replica serves.",
               [](const ReplicaStatus& status) -> uint64_t { return status.serves_bound(); });
  add_replicas(text, facts, "usher_replica_ready", "gauge",
               "1 if its health checks find it ready, or have not looked yet.",
               [](const ReplicaStatus& status) -> uint64_t {
                 return status.health() == routing::Health::up ||
                        status.health() == routing::Health::unknown;
               });
  text.family("usher_upstream_panic", "gauge",
              "1 while so many of its replicas are not ready that they all stay in use.");
  for (const routing::Upstream& upstream : facts.snapshot.upstreams) {
    text.sample(label("upstream", upstream.name), facts.health.panics(upstream.name));
  }
  text.family("usher_replica_info", "gauge", "The version that it says it is.");
  for (const routing::Upstream& upstream : facts.snapshot.upstreams) {
    for (const routing::Replica& replica : upstream.replicas) {
      text.sample(label("upstream", upstream.name) + "," + label("replica", replica.id) + "," +
                      label("version", replica.version),
                  1);
    }
  }
  text.family("usher_upstream_versions", "gauge",
              "How many versions the replicas have that are not down.");
  for (const routing::Upstream& upstream : facts.snapshot.upstreams) {
    text.sample(label("upstream", upstream.name), versions_of(upstream).size());
  }
  text.family("usher_upstream_migrate_rate", "gauge",
              "At most so many websockets a second are moved to one replica.");
  for (const routing::Upstream& upstream : facts.snapshot.upstreams) {
    text.sample(label("upstream", upstream.name), upstream.migrate_rate);
  }
  add_replicas(text, facts, "usher_replica_draining", "gauge", "1 if it takes no new clients.",
               [](const ReplicaStatus& status) -> uint64_t {
                 return status.state() == routing::ReplicaState::draining;
               });
  add_replicas(text, facts, "usher_replica_drain_seconds_left", "gauge",
               "Seconds until clients may no longer stay at a draining replica; 0: over, or no "
               "such limit.",
               [&facts](const ReplicaStatus& status) {
                 return static_cast<uint64_t>(drain_left(status, facts.now).value_or(0));
               });
  add_replicas(text, facts, "usher_replica_requests_in_flight", "gauge", "Requests it is serving.",
               [](const ReplicaStatus& status) -> uint64_t { return status.in_flight; });
  add_replicas(text, facts, "usher_replica_websockets", "gauge", "Websockets open to it.",
               [](const ReplicaStatus& status) -> uint64_t { return status.websockets; });
  add_replicas(text, facts, "usher_replica_websockets_moved_total", "counter",
               "Websockets that were carried on at another one.",
               [](const ReplicaStatus& status) -> uint64_t { return status.websockets_moved; });
  add_replicas(text, facts, "usher_replica_queue", "gauge", "Requests that wait for a place at it.",
               [](const ReplicaStatus& status) -> uint64_t { return status.gate.waiting(); });
  add_replicas(text, facts, "usher_replica_requests_total", "counter", "Requests sent to it.",
               [](const ReplicaStatus& status) -> uint64_t { return status.requests; });
  if (facts.snapshot.tls) {
    text.family("usher_certificate_not_after_seconds", "gauge",
                "When a certificate that is shown ends, in seconds since 1970.");
    for (const auto& credential : facts.snapshot.tls->credentials()) {
      const auto end = credential->not_after().time_since_epoch();
      text.sample(
          label("certificate", credential->origin()),
          static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(end).count()));
    }
  }
  text.single("usher_certificates_unusable", "gauge",
              "Certificates of the settings that cannot be used: another one is shown instead.",
              facts.certificate_problems.size());
  text.single("usher_store_up", "gauge", "1 if the affinity store answers.",
              facts.store_state != routing::StoreState::down);
  text.single("usher_store_announcements_heard", "gauge",
              "1 if moves by other nodes are heard at once; else within a minute.",
              facts.announcements_heard);
  text.single("usher_store_calls_total", "counter", "Calls of the affinity store.",
              facts.store_calls);
  text.single("usher_store_failures_total", "counter", "Calls without an answer of use.",
              facts.store_failures);
  text.single("usher_store_timeouts_total", "counter", "Of these, those that were too late.",
              facts.store_timeouts);
  text.family("usher_store_round_trip_seconds", "histogram",
              "How long the affinity store took to answer.");
  text.sample({}, facts.store_round_trips);
  text.single("usher_access_log_dropped_total", "counter", "Lines of logs that found no room.",
              facts.log_lines_dropped);
  return text.take();
}

std::string make_status(const ReportFacts& facts) {
  Json listen = Json::array();
  for (const ListenerFacts& each : facts.listeners) {
    listen.push_back({{"url", each.url}, {"connections", each.counters.connections.load()}});
  }
  Json certificates = Json::array();
  if (facts.snapshot.tls) {
    for (const auto& credential : facts.snapshot.tls->credentials()) {
      certificates.push_back({{"certificate", credential->origin()},
                              {"not_after", to_rfc3339(credential->not_after())}});
    }
  }
  Json problems = Json::array();
  for (const CertificateProblem& each : facts.certificate_problems) {
    problems.push_back({{"certificate", each.certificate},
                        {"reason", each.reason},
                        {"shown_instead", each.shown}});
  }
  Json upstreams = Json::array();
  for (const routing::Upstream& upstream : facts.snapshot.upstreams) {
    Json replicas = Json::array();
    for (const routing::Replica& replica : upstream.replicas) {
      replicas.push_back(to_json(upstream, replica, facts.health, facts.now));
    }
    Json unresolved = Json::array();
    for (const routing::Unresolved& each : upstream.unresolved)
      unresolved.push_back({{"name", each.name}, {"reason", each.reason}});
    upstreams.push_back({{"name", upstream.name},
                         {"migrate_rate", upstream.migrate_rate},
                         {"panic", facts.health.panics(upstream.name)},
                         {"unresolved", std::move(unresolved)},
                         {"replicas", std::move(replicas)}});
  }
  const auto uptime =
      std::chrono::duration_cast<std::chrono::seconds>(facts.now - facts.started).count();
  const Json status{
      {"node", facts.node},
      {"pid", ::getpid()},
      {"version", USHER_VERSION},
      {"uptime_seconds", uptime},
      {"draining", facts.draining},
      {"connections",
       sum(
           facts, [](const proxy::WorkerCounters& w) -> auto& { return w.connections; })},
      {"open_files",
       {{"limit", facts.descriptors.soft},
        {"raised_from", facts.descriptors.raised_from},
        {"connections", facts.most_connections}}},
      {"websockets",
       sum(
           facts, [](const proxy::WorkerCounters& w) -> auto& { return w.websockets; })},
      {"listen", std::move(listen)},
      {"certificates", std::move(certificates)},
      {"certificates_unusable", std::move(problems)},
      {"requests_held", sum(
                            facts, [](const proxy::WorkerCounters& w) -> auto& { return w.held; })},
      {"websockets_moving",
       sum(
           facts, [](const proxy::WorkerCounters& w) -> auto& { return w.moving; })},
      {"websockets_parked",
       sum(
           facts, [](const proxy::WorkerCounters& w) -> auto& { return w.parked; })},
      {"store",
       {{"url", facts.store_url},
        {"state", name_of(facts.store_state)},
        {"announcements", facts.announcements_heard ? "heard" : "missed"}}},
      {"upstreams", std::move(upstreams)}};
  return status.dump();
}

}  // namespace usher::control
