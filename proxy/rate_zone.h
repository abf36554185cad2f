// How far each key is ahead of its rate: nginx's leaky bucket (limit_req), with its arithmetic in
// thousandths of a request and in milliseconds. Any thread. What it costs is bounded: the least
// recently used keys go when there is no room for another one.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/seeded_hash.h"

namespace usher::proxy {

// What one key costs in a zone, in bytes, beside its own length.
inline constexpr uint64_t zone_entry_overhead = 128;
// A longer key is taken as its beginning.
inline constexpr size_t longest_zone_key = 1024;

class RateZone final {
 public:
  // In bytes; at least one key fits in.
  explicit RateZone(uint64_t size);

  // How far the key would be ahead with one more request, in thousandths of one. `rate` is in
  // thousandths of a request a second. The first request of a key is not ahead.
  uint64_t look(std::string_view key, uint64_t rate, MonotonicTime now);
  // The same, and the request counts if that is not more than `most`.
  uint64_t take(std::string_view key, uint64_t rate, uint64_t most, MonotonicTime now);

  size_t keys() const;

 private:
  struct Bucket {
    std::string key;
    uint64_t excess = 0;
    MonotonicTime last;
  };
  using Buckets = std::list<Bucket>;

  // Not one mutex for all keys: every request of every worker comes by.
  struct Shard {
    mutable std::mutex mutex;
    Buckets by_use;  // the latest first
    std::unordered_map<std::string_view, Buckets::iterator, SeededHash> by_key;
    uint64_t used = 0;
  };

  Shard& shard_of(std::string_view key);
  static uint64_t excess_with_one_more(const Bucket& bucket, uint64_t rate, MonotonicTime now);
  void make_room(Shard& shard, uint64_t wanted, uint64_t rate, MonotonicTime now) const;
  static void drop_oldest(Shard& shard);

  const SeededHash hash_;  // not the shards': a shard's keys fill all of its buckets
  std::array<Shard, 16> shards_;
  size_t shards_used_;
  uint64_t most_of_a_shard_;
};

}  // namespace usher::proxy
