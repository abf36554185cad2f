// Asks every replica every `interval` whether it is ready, and writes what it learns to the board.
// A refused connect means that nobody listens: down at once. Anything else must fail `fall` times
// in a row, so that a stalled event loop of a few seconds is not death. Failures that workers meet
// count as well (ReplicaStatus), and each makes the next probe come at once.
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
  // Probes this replica now, but no more often than once a second.
  void look_at(const std::string& replica_id);
  // What the replica said under /api/version: asked before it takes clients and once a minute.
  // Empty: not known, or it has none.
  std::string version_of(const std::string& replica_id) const;

 private:
  class Watch;

  net::Loop& loop_;
  const Log& log_;
  std::function<void(const std::string&)> unreachable_;
  std::function<void()> changed_;
  Jitter jitter_;
  std::unordered_map<std::string, std::unique_ptr<Watch>> watches_;  // by replica id
};

}  // namespace usher::control
