// The policy that picks a replica for a client that has none. One a worker.
#pragma once

#include <string_view>

#include "base/random.h"
#include "routing/replica.h"

namespace usher::routing {

class Placement final {
 public:
  explicit Placement(uint32_t seed) : random_(seed) {}

  // A replica of upstream that takes new clients; if none does, one that at least serves (draining ones);
  // nullptr if all are down. `avoid` is taken only when it is the last one left. Ties are broken at
  // random, so that several workers and nodes do not all choose the first.
  const Replica* pick(const Upstream& upstream, const Replica* avoid = nullptr);

  // Rendezvous hashing: every node picks the same one for a key without talking, and when a replica
  // goes only its keys move, evenly.
  static const Replica* pick_by_key(const Upstream& upstream, std::string_view key,
                                    const Replica* avoid = nullptr);

 private:
  Jitter random_;
  uint32_t turn_ = 0;
};

}  // namespace usher::routing
