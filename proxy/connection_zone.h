// How many requests and websockets each key has under way: nginx's limit_conn. Any thread. A key
// is there only while it has any; when the zone is full no other key gets a place.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/seeded_hash.h"

namespace usher::proxy {

class ConnectionZone final {
 public:
  // In bytes, keys included (rate_zone.h says what one costs).
  explicit ConnectionZone(uint64_t size) : size_(size) {}

  // False when the key has `most` already, or when the zone has no room for it.
  bool enter(std::string_view key, uint32_t most);
  void leave(std::string_view key);

  size_t keys() const;

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, uint32_t, SeededHash, std::equal_to<>> counts;
  };

  Shard& shard_of(std::string_view key) { return shards_[hash_(key) % 16]; }

  const uint64_t size_;
  const SeededHash hash_;  // not the shards': a shard's keys fill all of its buckets
  std::atomic<uint64_t> used_{0};
  std::array<Shard, 16> shards_;
};

// A place under a key; given back when it goes. It keeps its zone alive: a websocket may outlive
// the settings that it was opened under.
class ZonePlace final {
 public:
  ZonePlace(std::shared_ptr<ConnectionZone> zone, std::string key)
      : zone_(std::move(zone)), key_(std::move(key)) {}
  ~ZonePlace() {
    if (zone_) zone_->leave(key_);
  }
  ZonePlace(ZonePlace&&) noexcept = default;
  ZonePlace& operator=(ZonePlace&& other) noexcept {
    std::swap(zone_, other.zone_);
    std::swap(key_, other.key_);
    return *this;
  }

 private:
  std::shared_ptr<ConnectionZone> zone_;
  std::string key_;
};

}  // namespace usher::proxy
