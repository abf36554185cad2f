// Asks every replica every `interval` whether it is ready, and writes what it learns to the board.
// A refused connect means that nobody listens: down at once. Anything else must fail `fall` times
// in a row, so that a stalled event loop of a few seconds is not death.
#pragma once

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
  HealthChecker(net::Loop& loop, const Log& log);
  ~HealthChecker();

  // From now on these replicas are watched. Those that were watched before keep their counts.
  void watch(const proxy::Snapshot& snapshot);
  void stop();

 private:
  class Watch;

  net::Loop& loop_;
  const Log& log_;
  Jitter jitter_;
  std::unordered_map<std::string, std::unique_ptr<Watch>> watches_;  // by replica id
};

}  // namespace usher::control
