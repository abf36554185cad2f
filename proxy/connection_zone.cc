#include "proxy/connection_zone.h"

#include "proxy/rate_zone.h"

namespace usher::proxy {

bool ConnectionZone::enter(std::string_view key, uint32_t most) {
  key = key.substr(0, longest_zone_key);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.counts.find(key);
  if (found != shard.counts.end()) {
    if (found->second >= most) return false;
    ++found->second;
    return true;
  }
  const uint64_t cost = key.size() + zone_entry_overhead;
  const bool fits = used_.fetch_add(cost, std::memory_order_relaxed) + cost <= size_;
  if (!fits || most == 0) {
    used_.fetch_sub(cost, std::memory_order_relaxed);
    return false;
  }
  shard.counts.emplace(key, 1);
  return true;
}

void ConnectionZone::leave(std::string_view key) {
  key = key.substr(0, longest_zone_key);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.counts.find(key);
  if (found == shard.counts.end() || --found->second > 0) return;
  used_.fetch_sub(key.size() + zone_entry_overhead, std::memory_order_relaxed);
  shard.counts.erase(found);
}

size_t ConnectionZone::keys() const {
  size_t sum = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.counts.size();
  }
  return sum;
}

}  // namespace usher::proxy
