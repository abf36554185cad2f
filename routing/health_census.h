// How many of an upstream's replicas live, and how many of these say that they are not ready. What
// befalls most of them at the same time is something that they share, such as their database: no
// replica is better then, and leaving them would leave nobody.
#pragma once

#include <cstdint>

#include "routing/replica_board.h"

namespace usher::routing {

struct HealthCensus {
  uint32_t living = 0;   // they answer, and do not start
  uint32_t failing = 0;  // of these: unready or ill

  void count(Health health) {
    if (health == Health::down || health == Health::starting) return;
    ++living;
    if (health == Health::unready || health == Health::ill) ++failing;
  }
  // More than `percent` of those that live are failing, or all of them: none is left for it.
  bool panics(uint32_t percent) const {
    return failing > 0 &&
           (failing == living || uint64_t{failing} * 100 > uint64_t{living} * percent);
  }
  friend bool operator==(const HealthCensus&, const HealthCensus&) = default;
};

}  // namespace usher::routing
