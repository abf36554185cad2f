// Which clients have a websocket open through this node, and to which replica, and which have a
// request open: what decides whether a client may be moved now. Any thread; touched when one of
// those opens or closes, and seldom asked.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/seeded_hash.h"

namespace usher::routing {

class LiveSessions final {
 public:
  // `fixed`: it ends when it leaves that replica.
  void opened(std::string_view client, std::string_view replica, bool fixed = true) {
    const Locked at(*this, client);
    at->websockets[std::string(client)].push_back({std::string(replica), fixed});
  }
  void closed(std::string_view client, std::string_view replica, bool fixed = true) {
    const Locked at(*this, client);
    const auto found = at->websockets.find(client);
    if (found == at->websockets.end()) return;
    std::vector<Place>& places = found->second;
    const auto place = std::ranges::find(places, Place{std::string(replica), fixed});
    if (place != places.end()) places.erase(place);
    if (places.empty()) at->websockets.erase(found);
  }
  bool has_fixed(std::string_view client, std::string_view replica) const {
    return any_websocket(
        client, [&](const Place& place) { return place.replica == replica && place.fixed; });
  }
  bool has(std::string_view client) const {
    return any_websocket(client, [](const Place&) { return true; });
  }
  bool has(std::string_view client, std::string_view replica) const {
    return any_websocket(client, [&](const Place& place) { return place.replica == replica; });
  }
  // To any other replica.
  bool has_elsewhere(std::string_view client, std::string_view replica) const {
    return any_websocket(client, [&](const Place& place) { return place.replica != replica; });
  }
  size_t websockets(std::string_view client) const {
    const Locked at(*this, client);
    const auto found = at->websockets.find(client);
    return found == at->websockets.end() ? 0 : found->second.size();
  }

  void request_began(std::string_view client) {
    const Locked at(*this, client);
    const auto found = at->requests.find(client);
    if (found == at->requests.end()) {
      at->requests.emplace(client, 1);
    } else {
      ++found->second;
    }
  }
  void request_ended(std::string_view client) {
    const Locked at(*this, client);
    const auto found = at->requests.find(client);
    if (found != at->requests.end() && --found->second == 0) at->requests.erase(found);
  }
  bool has_request(std::string_view client) const {
    const Locked at(*this, client);
    return at->requests.contains(client);
  }
  // Neither a websocket nor a request.
  bool idle(std::string_view client) const {
    const Locked at(*this, client);
    return !at->websockets.contains(client) && !at->requests.contains(client);
  }

 private:
  struct Place {
    std::string replica;
    bool fixed;
    bool operator==(const Place&) const = default;
  };
  template <typename Value>
  using ByClient = std::unordered_map<std::string, Value, SeededHash, std::equal_to<>>;

  // So that workers seldom wait for each other.
  struct alignas(64) Shard {
    std::mutex mutex;
    ByClient<std::vector<Place>> websockets;
    ByClient<uint32_t> requests;
  };
  class Locked {
   public:
    Locked(const LiveSessions& live, std::string_view client)
        : shard_(live.shards_[live.hash_(client) % live.shards_.size()]), lock_(shard_.mutex) {}
    Shard* operator->() const { return &shard_; }

   private:
    Shard& shard_;
    std::lock_guard<std::mutex> lock_;
  };

  template <typename Condition>
  bool any_websocket(std::string_view client, Condition condition) const {
    const Locked at(*this, client);
    const auto found = at->websockets.find(client);
    return found != at->websockets.end() && std::ranges::any_of(found->second, condition);
  }

  const SeededHash hash_;  // not the shards': a shard's keys fill all of its buckets
  mutable std::array<Shard, 16> shards_;
};

// A client's request that is open, while this lives.
class OpenRequest final {
 public:
  OpenRequest(LiveSessions& live, std::string client) : live_(live), client_(std::move(client)) {
    live_.request_began(client_);
  }
  ~OpenRequest() { live_.request_ended(client_); }
  OpenRequest(const OpenRequest&) = delete;
  OpenRequest& operator=(const OpenRequest&) = delete;

 private:
  LiveSessions& live_;
  std::string client_;
};

}  // namespace usher::routing
