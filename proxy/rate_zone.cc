#include "proxy/rate_zone.h"

#include <algorithm>

namespace usher::proxy {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t one_request = 1000;
// A small zone is not divided: its few keys would fill one shard while another is empty.
constexpr uint64_t smallest_divided = uint64_t{1} << 20;
// A key that has been idle for so long, and is not ahead, is forgotten before there is need.
constexpr milliseconds idle_life{60'000};
constexpr milliseconds longest_idle{1'000'000'000};

uint64_t cost_of(std::string_view key) { return key.size() + zone_entry_overhead; }

// Workers' clocks may differ by a moment.
milliseconds passed_since(MonotonicTime last, MonotonicTime now) {
  const auto passed = std::chrono::floor<milliseconds>(now.time_since_epoch()) -
                      std::chrono::floor<milliseconds>(last.time_since_epoch());
  return std::clamp(passed, milliseconds(0), longest_idle);
}

uint64_t drained(uint64_t rate, milliseconds passed) {
  return rate * static_cast<uint64_t>(passed.count()) / 1000;
}

}  // namespace

RateZone::RateZone(uint64_t size)
    : shards_used_(size < smallest_divided ? 1 : shards_.size()),
      most_of_a_shard_(size / shards_used_) {}

RateZone::Shard& RateZone::shard_of(std::string_view key) {
  return shards_[hash_(key) % shards_used_];
}

uint64_t RateZone::excess_with_one_more(const Bucket& bucket, uint64_t rate, MonotonicTime now) {
  const uint64_t gone = drained(rate, passed_since(bucket.last, now));
  const uint64_t ahead = bucket.excess + one_request;
  return ahead > gone ? ahead - gone : 0;
}

uint64_t RateZone::look(std::string_view key, uint64_t rate, MonotonicTime now) {
  key = key.substr(0, longest_zone_key);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.by_key.find(key);
  if (found == shard.by_key.end()) return 0;
  shard.by_use.splice(shard.by_use.begin(), shard.by_use, found->second);
  return excess_with_one_more(*found->second, rate, now);
}

uint64_t RateZone::take(std::string_view key, uint64_t rate, uint64_t most, MonotonicTime now) {
  key = key.substr(0, longest_zone_key);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.by_key.find(key);
  if (found == shard.by_key.end()) {
    make_room(shard, cost_of(key), rate, now);
    shard.by_use.push_front({std::string(key), 0, now});
    shard.by_key.emplace(shard.by_use.front().key, shard.by_use.begin());
    shard.used += cost_of(key);
    return 0;
  }
  Bucket& bucket = *found->second;
  shard.by_use.splice(shard.by_use.begin(), shard.by_use, found->second);
  const uint64_t excess = excess_with_one_more(bucket, rate, now);
  if (excess > most) return excess;
  bucket.excess = excess;
  bucket.last = std::max(bucket.last, now);
  return excess;
}

// As nginx: up to two keys that mean nothing any more go, and whatever else there must.
void RateZone::make_room(Shard& shard, uint64_t wanted, uint64_t rate, MonotonicTime now) const {
  for (int i = 0; i < 2 && !shard.by_use.empty(); ++i) {
    const Bucket& oldest = shard.by_use.back();
    const milliseconds idle = passed_since(oldest.last, now);
    if (idle < idle_life || drained(rate, idle) < oldest.excess) break;
    drop_oldest(shard);
  }
  while (!shard.by_use.empty() && shard.used + wanted > most_of_a_shard_)
    drop_oldest(shard);
}

void RateZone::drop_oldest(Shard& shard) {
  const Bucket& oldest = shard.by_use.back();
  shard.used -= cost_of(oldest.key);
  shard.by_key.erase(oldest.key);
  shard.by_use.pop_back();
}

size_t RateZone::keys() const {
  size_t sum = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.by_use.size();
  }
  return sum;
}

}  // namespace usher::proxy
