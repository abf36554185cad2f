#include "routing/placement.h"

#include <algorithm>
#include <cmath>

namespace usher::routing {
namespace {

// How readily a replica is chosen, best last. A full one is better than one that drains: its place
// may become free in a moment. A backup is there for when the others are full as well. One that is
// not ready is as good as any while its upstream panics.
enum class Rank { never, avoided, draining, unready, other_version, full, backup, unproven, good };

Rank rank_of(const Replica& replica, const Replica* avoid, uint32_t version,
             uint32_t max_connections) {
  const ReplicaState state = replica.status->state();
  if (state >= ReplicaState::starting) return Rank::never;
  if (avoid && replica.id == avoid->id) return Rank::avoided;
  if (state == ReplicaState::draining) return Rank::draining;
  if (state == ReplicaState::unready && !replica.status->panic()) return Rank::unready;
  if (replica.backup) return Rank::backup;
  if (replica.version_rank != version) return Rank::other_version;
  if (replica.status->gate.full(max_connections)) return Rank::full;
  return state == ReplicaState::unknown ? Rank::unproven : Rank::good;
}

// The version that is wanted: that of `home` if it is left, else the newest one.
uint32_t wanted_version(const Upstream& upstream, const Replica* avoid, const Replica* home) {
  uint32_t newest = 0;
  for (const Replica& replica : upstream.replicas) {
    if (!replica.status->takes_new() || (avoid && replica.id == avoid->id)) continue;
    if (replica.backup) continue;
    if (home && replica.version_rank == home->version_rank) return home->version_rank;
    newest = std::max(newest, replica.version_rank);
  }
  return newest;
}

double load_of(const Replica& replica) {
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

// -ln(h) of h in (0, 1]: exponentially distributed, so that the least of cost / weight falls on
// each with its share of the weights.
double cost_of(uint64_t likes) {
  constexpr double steps = 9007199254740992.0;  // 2^53: what a double holds exactly
  return -std::log((static_cast<double>(likes >> 11) + 1) / steps);
}

// Does the key prefer a, which it likes so much, to b? Equal weights are compared exactly.
bool prefers(const Replica& a, uint64_t likes_a, const Replica& b, uint64_t likes_b) {
  if (a.weight == b.weight) return likes_a > likes_b;
  return cost_of(likes_a) * b.weight < cost_of(likes_b) * a.weight;
}

}  // namespace

const Replica* Placement::pick(const Upstream& upstream, const Replica* avoid) {
  const MonotonicTime now = clock_.now();
  const uint32_t version = wanted_version(upstream, avoid, nullptr);
  Rank best = Rank::avoided;
  candidates_.clear();
  for (const Replica& replica : upstream.replicas) {
    const Rank rank = rank_of(replica, avoid, version, upstream.max_connections);
    if (rank < best) continue;
    if (rank > best) candidates_.clear();
    best = rank;
    candidates_.push_back(
        {&replica, replica.weight * replica.status->readiness(now, upstream.slow_start)});
  }
  if (candidates_.empty()) return nullptr;
  switch (upstream.balance) {
    case conf::Balance::least_connections: return least_loaded();
    case conf::Balance::round_robin: return next_in_turn();
    case conf::Balance::random_two: return better_of_two();
    case conf::Balance::rendezvous: return candidates_[any()].replica;
  }
  return candidates_.front().replica;
}

double Placement::below(double bound) {
  return std::uniform_real_distribution<double>(0, bound)(random_);
}

// By weight.
size_t Placement::any() {
  double total = 0;
  for (const Candidate& candidate : candidates_)
    total += candidate.weight;
  double left = below(total);
  for (size_t i = 0; i + 1 < candidates_.size(); ++i) {
    left -= candidates_[i].weight;
    if (left < 0) return i;
  }
  return candidates_.size() - 1;
}

const Replica* Placement::least_loaded() {
  const Candidate* best = nullptr;
  double ties = 0;  // their weights together
  for (const Candidate& candidate : candidates_) {
    const double load = load_of(*candidate.replica);
    const double least = best ? load_of(*best->replica) : 0;
    // load / weight, compared without a division.
    if (best && load * best->weight > least * candidate.weight) continue;
    const bool tie = best && load * best->weight == least * candidate.weight;
    ties = tie ? ties + candidate.weight : candidate.weight;
    // Whoever comes later replaces the one held with its share of the ties' weights.
    if (!tie || below(ties) < candidate.weight) best = &candidate;
  }
  return best->replica;
}

// Smooth: a replica of weight 2 among two of weight 1 gets every second turn, not two in a row.
const Replica* Placement::next_in_turn() {
  double total = 0;
  const Candidate* next = nullptr;
  double most = 0;
  for (const Candidate& candidate : candidates_) {
    const auto [known, fresh] = credits_.try_emplace(candidate.replica->status.get(), 0);
    if (fresh) known->second = below(candidate.weight);
    known->second += candidate.weight;
    total += candidate.weight;
    if (next && known->second <= most) continue;
    next = &candidate;
    most = known->second;
  }
  credits_[next->replica->status.get()] -= total;
  return next->replica;
}

const Replica* Placement::better_of_two() {
  const Candidate first = candidates_[any()];
  if (candidates_.size() == 1) return first.replica;
  std::erase_if(candidates_, [&](const Candidate& each) { return each.replica == first.replica; });
  const Candidate second = candidates_[any()];
  const bool second_is_better =
      load_of(*second.replica) * first.weight < load_of(*first.replica) * second.weight;
  return second_is_better ? second.replica : first.replica;
}

const Replica* Placement::pick_by_key(const Upstream& upstream, std::string_view key,
                                      const Replica* avoid, const Replica* home) {
  const uint32_t version = wanted_version(upstream, avoid, home);
  const Replica* best = nullptr;
  Rank best_rank = Rank::never;
  uint64_t most = 0;
  for (const Replica& replica : upstream.replicas) {
    const Rank rank = rank_of(replica, avoid, version, 0);
    if (rank == Rank::never || rank < best_rank) continue;
    const uint64_t likes = liking(key, replica.id);
    if (best && rank == best_rank && !prefers(replica, likes, *best, most)) continue;
    best = &replica;
    best_rank = rank;
    most = likes;
  }
  return best;
}

// Not all who have a websocket have come back with their cookie and are known as sessions.
uint64_t Placement::clients_at(const Replica& replica) {
  const ReplicaStatus& status = *replica.status;
  const uint64_t there = std::max<uint64_t>(status.sessions.load(std::memory_order_relaxed),
                                            status.websockets.load(std::memory_order_relaxed));
  const uint64_t going = status.going.load(std::memory_order_relaxed);
  return status.coming.load(std::memory_order_relaxed) + there - std::min(going, there);
}

const Replica* Placement::emptier_newcomer(const Upstream& upstream, const Replica& home,
                                           MonotonicTime now) {
  const auto crowd = [&](const Replica& replica, uint64_t more) {
    const double weight = replica.weight * replica.status->readiness(now, upstream.slow_start);
    return static_cast<double>(clients_at(replica) + more) / weight;
  };
  const Replica* emptiest = nullptr;
  double least = crowd(home, 0);
  for (const Replica& replica : upstream.replicas) {
    if (&replica == &home || !replica.status->has_joined()) continue;
    if (replica.status->state() != ReplicaState::up) continue;
    if (rank_of(replica, nullptr, home.version_rank, upstream.max_connections) != Rank::good) {
      continue;
    }
    // With the one that would come it must still be no more crowded than home is now.
    const double crowded = crowd(replica, 1);
    if (crowded >= least) continue;
    emptiest = &replica;
    least = crowded;
  }
  return emptiest;
}

}  // namespace usher::routing
