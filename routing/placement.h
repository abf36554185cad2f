// The policy that picks a replica for a client that has none. One a worker.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "routing/replica.h"

namespace usher::routing {

class Placement final {
 public:
  Placement(uint32_t seed, const Clock& clock) : random_(seed), clock_(clock) {}

  // A replica of upstream that takes new clients, best one of the newest version that has passed a
  // probe and has a place free; if there is none, a backup; if none takes new ones, one that at
  // least serves (one that is not ready, then a draining one); nullptr if all are down. `avoid` is
  // taken only when it is the last one left. Ties are broken at random, so that several workers and
  // nodes do not all choose the first.
  const Replica* pick(const Upstream& upstream, const Replica* avoid = nullptr);

  // Weighted rendezvous hashing: every node picks the same one for a key without talking, and when
  // a replica goes only its keys move, evenly by weight. Neither slow start nor full replicas count
  // here: nodes would no longer agree. Who had a `home` goes to one of its version, if that is
  // left.
  static const Replica* pick_by_key(const Upstream& upstream, std::string_view key,
                                    const Replica* avoid = nullptr, const Replica* home = nullptr);

  // About how many clients live there, those who are on their way counted where they go.
  static uint64_t clients_at(const Replica& replica);

  // The replica that has joined and where a client of `home` had better be: one of its version with
  // fewer clients than home has, by weight, so that a move makes them more even. nullptr: none.
  static const Replica* emptier_newcomer(const Upstream& upstream, const Replica& home,
                                         MonotonicTime now);

 private:
  struct Candidate {
    const Replica* replica;
    double weight;  // as it counts now
  };

  double below(double bound);
  size_t any();
  const Replica* least_loaded();
  const Replica* next_in_turn();
  const Replica* better_of_two();

  Jitter random_;
  const Clock& clock_;
  std::vector<Candidate> candidates_;
  // How far each is ahead of its share of turns. Workers begin at different replicas.
  std::unordered_map<const ReplicaStatus*, double> credits_;
};

}  // namespace usher::routing
