// Asks every replica every `interval` whether it is ready, and writes what it learns to the board.
// Failures that workers meet count as well (ReplicaStatus), and each makes the next probe come at
// once. It knows when an upstream panics: so many of its replicas are not ready that this is no
// reason to leave them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "conf/settings.h"
#include "net/loop.h"
#include "proxy/snapshot.h"
#include "routing/health_census.h"

namespace usher::control {

// The version in Open WebUI's answer, {"version": "0.11.0"}; empty: there is none that can be
// shown.
std::string version_in(std::string_view body);

class HealthChecker final {
 public:
  // `unreachable` is told of every probe that found nobody to connect to; `changed` follows when a
  // replica's version is another one.
  HealthChecker(net::Loop& loop, const Log& log,
                std::function<void(const std::string& replica_id)> unreachable,
                std::function<void()> changed);
  ~HealthChecker();

  // From now on these replicas are watched. Those that were watched before keep their counts.
  void watch(const proxy::Snapshot& snapshot);
  // Probes this replica now, in each way that it is reached, but no more often than once a second.
  void look_at(const std::string& replica_id);
  // What the replica said under /api/version: asked before it takes clients and once a minute.
  // Empty: not known, or it has none.
  std::string version_of(const routing::ReplicaStatus& replica) const;
  // Why it is not up, as the last look has found. Empty: it is; or it is not known.
  std::string reason_of(const routing::ReplicaStatus& replica) const;
  bool panics(std::string_view upstream) const;

 private:
  class Watch;
  struct Member {
    std::string id;
    std::shared_ptr<routing::ReplicaStatus> status;
  };
  // The replicas of one upstream, which share what they need.
  struct Group {
    std::string upstream;
    uint32_t percent = 0;
    std::vector<Member> members;
    routing::HealthCensus census;
    bool panics = false;
    bool told = false;  // the log says so
  };
  // One replica's health is to be another.
  struct Turn {
    const routing::Replica& replica;
    routing::Health before;
    routing::Health after;
    const std::string& reason;
    const std::string& version;
  };

  void turn(const Turn& turn);
  void tell(const Turn& turn);
  void weigh(const Turn* turn);
  void begin_panics();
  void end_panics();
  void tell_panics(const std::string& reason);

  net::Loop& loop_;
  const Log& log_;
  std::function<void(const std::string&)> unreachable_;
  std::function<void()> changed_;
  Jitter jitter_;
  std::unordered_map<const routing::ReplicaStatus*, std::unique_ptr<Watch>> watches_;
  std::vector<Group> groups_;
};

}  // namespace usher::control
