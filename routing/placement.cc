#include "routing/placement.h"

#include <algorithm>

namespace usher::routing {
namespace {

// How readily a replica is chosen; 0: not at all.
int readiness(const Replica& replica, const Replica* avoid) {
  const ReplicaState state = replica.status->state();
  if (state == ReplicaState::down) return 0;
  if (avoid && replica.id == avoid->id) return 1;
  return state == ReplicaState::draining ? 2 : 3;
}

uint32_t load_of(const Replica& replica) {
  return replica.status->in_flight.load(std::memory_order_relaxed) +
         replica.status->websockets.load(std::memory_order_relaxed);
}

constexpr uint64_t fnv_start = 0xcbf29ce484222325;

constexpr uint64_t fnv(uint64_t hash, std::string_view text) {
  for (const char c : text) {
    hash ^= static_cast<uint8_t>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

// The finaliser of MurmurHash3: FNV-1a alone leaves the high bits of similar texts alike.
constexpr uint64_t mixed(uint64_t hash) {
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccd;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

// A key's liking for a replica. The same on every node, compiler and machine, for good: nodes of
// different versions must agree. A zero byte parts key and id.
uint64_t liking(std::string_view key, std::string_view replica_id) {
  return mixed(fnv(fnv(fnv_start, key) * 0x100000001b3, replica_id));
}

}  // namespace

const Replica* Placement::pick(const Upstream& upstream, const Replica* avoid) {
  int best = 1;
  candidates_.clear();
  for (const Replica& replica : upstream.replicas) {
    const int ready = readiness(replica, avoid);
    if (ready < best) continue;
    if (ready > best) candidates_.clear();
    best = ready;
    candidates_.push_back(&replica);
  }
  if (candidates_.empty()) return nullptr;
  switch (upstream.balance) {
    case conf::Balance::least_connections: return least_loaded();
    case conf::Balance::round_robin: return candidates_[turn_++ % candidates_.size()];
    case conf::Balance::random_two: return better_of_two();
    case conf::Balance::rendezvous: return candidates_[below(candidates_.size())];
  }
  return candidates_.front();
}

size_t Placement::below(size_t count) {
  return std::uniform_int_distribution<size_t>(0, count - 1)(random_);
}

const Replica* Placement::least_loaded() {
  const Replica* best = nullptr;
  uint32_t least = 0;
  size_t ties = 0;
  for (const Replica* candidate : candidates_) {
    const uint32_t load = load_of(*candidate);
    if (best && load > least) continue;
    ties = best && load == least ? ties + 1 : 1;
    least = load;
    // The nth of equals replaces the one held with probability 1/n: each is as likely as the
    // others.
    if (ties == 1 || below(ties) == 0) best = candidate;
  }
  return best;
}

const Replica* Placement::better_of_two() {
  const size_t count = candidates_.size();
  if (count == 1) return candidates_.front();
  const size_t first = below(count);
  const size_t second = (first + 1 + below(count - 1)) % count;
  return load_of(*candidates_[second]) < load_of(*candidates_[first]) ? candidates_[second]
                                                                      : candidates_[first];
}

const Replica* Placement::pick_by_key(const Upstream& upstream, std::string_view key,
                                      const Replica* avoid) {
  const Replica* best = nullptr;
  int best_ready = 0;
  uint64_t most = 0;
  for (const Replica& replica : upstream.replicas) {
    const int ready = readiness(replica, avoid);
    if (ready == 0 || ready < best_ready) continue;
    const uint64_t likes = liking(key, replica.id);
    if (best && ready == best_ready && likes <= most) continue;
    best = &replica;
    best_ready = ready;
    most = likes;
  }
  return best;
}

}  // namespace usher::routing
