// What the admin listener answers: the part of the Server that others ask.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "base/strings.h"
#include "conf/keys.h"
#include "conf/values.h"
#include "control/report.h"
#include "control/server.h"

namespace usher::control {
namespace {

constexpr std::string_view challenges_path = "/api/acme/";
// An authority looks within seconds; who puts a token takes it away again, or has died.
constexpr std::chrono::hours challenge_life{1};
constexpr std::chrono::milliseconds refusal_log_interval{10'000};

AdminResponse json_detail(uint16_t status, std::string_view detail) {
  return {status, "application/json", nlohmann::json{{"detail", detail}}.dump()};
}

struct FoundReplica {
  const routing::Upstream* upstream;
  const routing::Replica* replica;
};

// "172.18.0.5:8080 (open-webui-1), …"
std::string to_list(const std::vector<FoundReplica>& replicas) {
  constexpr size_t most = 20;
  std::string text;
  for (const auto& [upstream, replica] :
       std::span(replicas).first(std::min(replicas.size(), most))) {
    text.append(text.empty() ? "" : ", ").append(replica->id);
    if (!replica->called().empty()) text.append(" (").append(replica->called()).append(")");
  }
  if (replicas.size() > most) text += " and " + std::to_string(replicas.size() - most) + " more";
  return text;
}

// By its id, or by any name of it that no other one has. not_found: no replica is called that.
Result<FoundReplica> find_replica(const proxy::Snapshot& snapshot, std::string_view text) {
  std::vector<FoundReplica> all, called;
  for (const routing::Upstream& upstream : snapshot.upstreams) {
    for (const routing::Replica& replica : upstream.replicas) {
      if (replica.id == text) return FoundReplica{&upstream, &replica};
      const auto is_it = [&](const FoundReplica& each) { return each.replica->id == replica.id; };
      if (std::ranges::any_of(all, is_it)) continue;
      all.push_back({&upstream, &replica});
      if (replica.is_called(text)) called.push_back(all.back());
    }
  }
  const std::string name(text);
  if (called.size() == 1) return called.front();
  if (!called.empty()) {
    return Error{Errc::bad_config, Side::client,
                 name + " is the name of " + std::to_string(called.size()) +
                     " replicas, name one of them: " + to_list(called)};
  }
  return Error{Errc::not_found, Side::client,
               "no replica is called " + name +
                   (all.empty() ? "; none is known" : "; there are " + to_list(all))};
}

}  // namespace

bool Server::any_replica_up() const {
  return std::ranges::any_of(snapshot_->upstreams, [](const routing::Upstream& upstream) {
    return std::ranges::any_of(upstream.replicas, [](const routing::Replica& replica) {
      return replica.status->serves_bound();
    });
  });
}

Pending Server::answer_soon(const AdminRequest& request, Admin::Respond respond) {
  if (const auto refusal = admin_guard_.refuse(request.head, request.peer, request.local)) {
    note_refusal(request, *refusal);
    respond(json_detail(refusal->status, refusal->detail));
    return {};
  }
  if (request.path().starts_with(challenges_path)) {
    return order_challenge(request, std::move(respond));
  }
  respond(answer(request));
  return {};
}

// A line for each peer and cause now and then.
void Server::note_refusal(const AdminRequest& request, const Refusal& refusal) {
  const std::string peer = request.peer.ip();
  const auto held_back = throttle_.admit("admin " + std::to_string(refusal.status) + ' ' + peer,
                                         refusal_log_interval, loop_.now());
  if (!held_back) return;
  log_.warning("admin_refused", {{"client", peer},
                                 {"method", std::string(request.method())},
                                 {"path", std::string(request.path())},
                                 {"reason", refusal.detail},
                                 {"held_back", *held_back}});
}

// /api/acme/{token}: PUT its key authorization, for every node to answer with, or DELETE it. POST
// is for clients that know no PUT.
Pending Server::order_challenge(const AdminRequest& request, Admin::Respond respond) {
  const std::string_view token = request.path().substr(challenges_path.size());
  const bool put = request.method() == "PUT" || request.method() == "POST";
  if (!put && request.method() != "DELETE") {
    respond(json_detail(405, "expected PUT or DELETE"));
    return {};
  }
  // As a shell's echo says it.
  std::string_view said = request.body;
  while (said.ends_with('\n') || said.ends_with('\r'))
    said.remove_suffix(1);
  const bool good =
      put ? routing::is_key_authorization(token, said) : routing::is_challenge_token(token);
  if (!good) {
    respond(json_detail(400, put ? "expected the token's key authorization: {token}.{thumbprint}"
                                 : "expected a token"));
    return {};
  }
  auto done = [this, key = routing::challenge_key(token),
               respond = std::move(respond)](const Outcome& outcome) {
    // Somebody may have asked for it too early.
    unknown_keys_.remove(key);
    respond(outcome ? AdminResponse{200, "application/json", R"({"status":true})"}
                    : json_detail(503, to_string(outcome.error())));
  };
  routing::Store& store = shared_store_ ? *shared_store_ : *own_store_;
  return put ? store.keep_challenge(token, said, challenge_life, std::move(done))
             : store.drop_challenge(token, std::move(done));
}

AdminResponse Server::answer(const AdminRequest& request) {
  const bool get = request.method() == "GET" || request.method() == "HEAD";
  if (request.path() == "/healthz" && get) return {200, "application/json", R"({"status":true})"};
  if (request.path() == "/readyz" && get) {
    if (draining_) return json_detail(503, "draining");
    if (!any_replica_up()) return json_detail(503, "no replica is up");
    return {200, "application/json", R"({"status":true})"};
  }
  if ((request.path() == "/metrics" || request.path() == "/api/status") && get) {
    ReportFacts facts{.node = node_,
                      .started = started_,
                      .now = clock_.now(),
                      .snapshot = *snapshot_,
                      .health = health_,
                      .workers = {},
                      .routes = {},
                      .listeners = {},
                      .store_url = to_string(settings_.store.url),
                      .store_state = stores_.state(),
                      .announcements_heard = !announcements_ || announcements_->listening(),
                      .store_calls = stores_.status().calls(),
                      .store_failures = stores_.status().failures(),
                      .store_timeouts = stores_.status().timeouts(),
                      .store_round_trips = stores_.status().round_trips(),
                      .log_lines_dropped = log_files_.dropped(),
                      .descriptors = descriptor_limit_,
                      .most_connections = descriptors_.most_clients(),
                      .certificate_problems = certificates_.problems(),
                      .draining = draining_};
    for (const auto& worker : workers_) {
      facts.workers.push_back(&worker->counters());
      facts.routes.push_back(&worker->route_traffic());
    }
    for (const Listeners::Entry& entry : listeners_.set())
      facts.listeners.push_back({entry.url, entry.settings.tls, *entry.sockets->counters});
    if (request.path() == "/metrics")
      return {200, "text/plain; version=0.0.4", make_metrics(facts)};
    return {200, "application/json", make_status(facts)};
  }
  if (request.path() == "/api/reload" && request.method() == "POST") {
    const Outcome reloaded = reload();
    if (!reloaded) return json_detail(400, reloaded.error().detail);
    return {200, "application/json", R"({"status":true})"};
  }
  if (request.path() == "/api/secret/rotate" && request.method() == "POST") {
    const Outcome ordered = secrets_.rotate();
    if (!ordered) return json_detail(409, ordered.error().detail);
    return {200, "application/json", R"({"status":true})"};
  }
  if (request.path().starts_with("/api/replicas/") && request.method() == "POST") {
    return order_drain(request);
  }
  return json_detail(404, "no such thing");
}

// /api/replicas/{name}/drain?within=10m and /undrain: a replica's id, or what it is called. Colons
// and brackets may be percent-encoded.
AdminResponse Server::order_drain(const AdminRequest& request) {
  std::string_view path = request.path();
  path.remove_prefix(std::string_view("/api/replicas/").size());
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos)
    return json_detail(404, "expected {id}/drain or {id}/undrain");
  const std::string_view action = path.substr(slash + 1);
  const auto id = percent_decode(path.substr(0, slash));
  if (!id || (action != "drain" && action != "undrain")) {
    return json_detail(404, "expected {id}/drain or {id}/undrain");
  }
  const auto found = find_replica(*snapshot_, *id);
  if (!found)
    return json_detail(found.error().code == Errc::not_found ? 404 : 409, found.error().detail);
  const auto& [upstream, replica] = *found;
  conf::Millis limit = upstream->drain;
  const auto [key, value] = cut(request.query(), '=');
  if (key == "within") {
    const auto& rule = conf::rule_of(&conf::UpstreamSettings::drain);
    const Outcome good = conf::assign(value.value_or(""), limit, rule);
    if (!good) return json_detail(400, "within: " + good.error().detail);
  } else if (!request.query().empty()) {
    return json_detail(400, "expected ?within=DURATION");
  }
  action == "drain" ? drains_.drain(replica->id, limit) : drains_.undrain(replica->id);
  return {200, "application/json", describe_replica(*upstream, *replica, health_, clock_.now())};
}

}  // namespace usher::control
