// One worker of one node, and a client that keeps what it is given.
#pragma once

#include <optional>
#include <string>

#include "routing/session_directory.h"
#include "tests/unit/routing/fleet.h"
#include "tls/digest.h"

namespace usher::routing {

class Node final {
 public:
  Node(MemoryTable& table, const Clock& clock, int replicas)
      : fleet(replicas),
        store(table),
        placement(1, clock),
        node_sids(clock, 0),
        node_bindings(clock),
        unknown(clock),
        directory(store, clock, settings, placement, live, node_sids, node_bindings, unknown) {}

  // What the proxy does with a request. The answer may wait for the store.
  void ask(SessionClaim claim, const Replica* avoid = nullptr) {
    home.reset();
    home = directory.find_now(claim, fleet.upstream, cookies, avoid);
    answered_at_once = home.has_value();
    if (home) return;
    pending = directory.find(std::move(claim), fleet.upstream, cookies, avoid,
                             [this](Home found) { home = std::move(found); });
  }
  Home get(SessionClaim claim, const Replica* avoid = nullptr) {
    ask(std::move(claim), avoid);
    store.answer();
    return *home;
  }

  SessionClaim by_cookie(const std::string& cookie) const {
    return {.sid = {}, .cookie = cookies.open(cookie)};
  }
  std::string seal(const Home& given) const { return cookies.seal(given.client, given.binding); }

  Fleet fleet;
  SlowStore store;
  conf::AffinitySettings settings;
  Placement placement;
  LiveSessions live;
  NodeSids node_sids;
  NodeBindings node_bindings;
  UnknownKeys unknown;
  AffinityCookies cookies{&tls::make_hmac_sha256, {{"secret"}}};
  SessionDirectory directory;
  Pending pending;
  std::optional<Home> home;
  bool answered_at_once = false;
};

}  // namespace usher::routing
