// How many clients the limit of open files allows, over all workers. Each connection of a client
// takes a share of two: its own descriptor, and one for the replica or the file that its request
// needs. So whatever has been accepted can be served. Any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace usher::proxy {

class DescriptorBudget final {
 public:
  static constexpr uint64_t per_client = 2;
  // However low the limit is: so few clients are tried.
  static constexpr uint64_t least = 8 * per_client;

  // `limit`: what the process may open. `reserved`: what others than clients need of it.
  void set(uint64_t limit, uint64_t reserved, uint64_t workers) {
    const uint64_t left = limit > reserved ? limit - reserved : 0;
    const uint64_t idle = left / idle_share;
    const uint64_t clients = (left - idle) - (left - idle) / more_share;
    idle_replicas_.store(idle / workers, std::memory_order_relaxed);
    most_.store(std::max(clients, least), std::memory_order_relaxed);
  }

  uint64_t most_clients() const { return most() / per_client; }
  // Connections to replicas that one worker keeps; they are beside the clients' share.
  uint64_t most_idle_replicas() const { return idle_replicas_.load(std::memory_order_relaxed); }

  bool has_room() const { return used() + per_client <= most(); }
  // For each that comes one that is idle should go.
  bool is_tight() const {
    return used() + std::max(per_client * slack, most() / slack_share) > most();
  }
  void enter() { used_.fetch_add(per_client, std::memory_order_relaxed); }
  void leave() { used_.fetch_sub(per_client, std::memory_order_relaxed); }

  // One more request at a time on a connection that has `held` beyond its first one already. These
  // have a part of their own, so that neither they nor idle clients keep the others out; the less
  // of it is free, the fewer one connection may hold.
  bool take_more(uint64_t held) {
    const uint64_t taken = more_.load(std::memory_order_relaxed);
    const uint64_t all = most() / (more_share - 1);
    if (taken >= all || held > (all - taken) / share_of_free) return false;
    more_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  void give_back(uint64_t count) { more_.fetch_sub(count, std::memory_order_relaxed); }

 private:
  static constexpr uint64_t idle_share = 8;
  static constexpr uint64_t more_share = 3;
  static constexpr uint64_t slack = 4;
  static constexpr uint64_t slack_share = 16;
  static constexpr uint64_t share_of_free = 4;

  uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  uint64_t most() const { return most_.load(std::memory_order_relaxed); }

  std::atomic<uint64_t> most_{UINT32_MAX};
  std::atomic<uint64_t> idle_replicas_{UINT32_MAX};
  std::atomic<uint64_t> used_{0};
  std::atomic<uint64_t> more_{0};
};

}  // namespace usher::proxy
