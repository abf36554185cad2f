// The policy that picks a replica for a client that has none. One a worker.
#pragma once

#include <string_view>
#include <vector>

#include "base/random.h"
#include "routing/replica.h"

namespace usher::routing {

class Placement final {
 public:
  explicit Placement(uint32_t seed) : random_(seed), turn_(seed) {}

  // A replica of upstream that takes new clients; if none does, one that at least serves (draining
  // ones); nullptr if all are down. `avoid` is taken only when it is the last one left. Ties are
  // broken at random, so that several workers and nodes do not all choose the first.
  const Replica* pick(const Upstream& upstream, const Replica* avoid = nullptr);

  // Rendezvous hashing: every node picks the same one for a key without talking, and when a replica
  // goes only its keys move, evenly.
  static const Replica* pick_by_key(const Upstream& upstream, std::string_view key,
                                    const Replica* avoid = nullptr);

 private:
  size_t below(size_t count);
  const Replica* least_loaded();
  const Replica* better_of_two();

  Jitter random_;
  uint32_t turn_;  // workers start at different replicas
  std::vector<const Replica*> candidates_;
};

}  // namespace usher::routing
