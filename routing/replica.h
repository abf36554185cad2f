// One backend process: what it is called and where it listens. Immutable; its live numbers stand in
// its ReplicaStatus.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "conf/settings.h"
#include "routing/replica_board.h"

namespace usher::routing {

struct Replica {
  std::string id;  // "host:port" with a numeric address, or "unix:/path": the same on every node
  SocketAddress address;
  std::shared_ptr<ReplicaStatus> status;
  uint32_t weight = 1;        // its share of new clients, against the weights of the others
  std::string tls_peer{};     // https: the name or address that its certificate must have
  bool backup = false;        // takes clients only when no other replica does
  std::string version{};      // empty: it has none, or it is not known yet
  uint32_t version_rank = 0;  // see rank_versions()
  std::string name{};         // "host:port" as the settings name it; empty: by its address
  std::string host{};         // what the name server calls its address, such as a container's name

  // Whether people call it that: by its id, by the name in the settings, or by that of its host, up
  // to the first dot or whole. The port may be left out, and case does not matter.
  bool is_called(std::string_view text) const;
  // What people know it by, besides its id; empty: nothing.
  const std::string& called() const { return host.empty() ? name : host; }
};

// A name of the settings that led nowhere when it was last asked for.
struct Unresolved {
  std::string name;
  std::string reason;
};

// The replicas that serve one purpose, as known when the snapshot was made.
struct Upstream {
  std::string name;
  conf::Balance balance = conf::Balance::least_connections;
  std::vector<std::string> socketio;  // path prefixes
  bool migrate = false;               // websockets there outlive their replica
  // Events that two replicas may get. Shared by all snapshots until it changes.
  std::shared_ptr<const std::vector<std::string>> replay{};
  conf::Millis quiet{0};
  conf::Millis hold{0};
  conf::Millis park{0};
  uint32_t migrate_rate = 1;  // a second, to each replica
  conf::UpstreamTimeouts timeouts;
  conf::Millis slow_start{0};        // 0: a newcomer takes its whole share at once
  uint32_t max_connections = 0;      // of this node to one replica; 0: no limit
  uint32_t idle_connections = 256;   // that a worker keeps to one replica
  uint32_t connection_requests = 0;  // that one of them carries; 0: no limit
  uint32_t queue = 0;                // requests that may wait for one replica, and for how long
  conf::Millis queue_timeout{0};
  uint32_t rebalance = 0;  // clients a second that move to a replica which has joined; 0: none
  conf::Millis drain{0};   // how long clients may stay at a draining replica; 0: no limit
  uint32_t fall = 3;       // connect failures in a row that put a replica down
  std::string cookie;      // its affinity cookie's name
  std::vector<Replica> replicas;
  std::vector<Unresolved> unresolved;

  // Sets each replica's version_rank. By `newest`, 0 is the oldest version, and a replica without
  // one counts as newest: it might be. Else all are alike.
  void rank_versions(bool newest);

  // Between two clients that move to one replica.
  MonotonicTime::duration rebalance_pause() const;

  const Replica* find(std::string_view id) const;
  bool is_socketio(std::string_view path) const;
};

}  // namespace usher::routing
