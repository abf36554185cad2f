// Asks every replica every `interval` whether it is ready, and writes what it learns to the board.
// A refused connect means that nobody listens: down at once. Anything else must fail `fall` times
// in a row, so that a stalled event loop of a few seconds is not death. Failures that workers meet
// count as well (ReplicaStatus), and each makes the next probe come at once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "conf/settings.h"
#include "net/loop.h"
#include "proxy/snapshot.h"

namespace usher::control {

class HealthChecker final {
 public:
  // `unreachable` is told of every probe that found nobody to connect to.
  HealthChecker(net::Loop& loop, const Log& log,
                std::function<void(const std::string& replica_id)> unreachable);
  ~HealthChecker();

  // From now on these replicas are watched. Those that were watched before keep their counts.
  void watch(const proxy::Snapshot& snapshot);
  // Probes this replica now, but no more often than once a second.
  void look_at(const std::string& replica_id);

 private:
  class Watch;

  net::Loop& loop_;
  const Log& log_;
  std::function<void(const std::string&)> unreachable_;
  Jitter jitter_;
  std::unordered_map<std::string, std::unique_ptr<Watch>> watches_;  // by replica id
};

}  // namespace usher::control
