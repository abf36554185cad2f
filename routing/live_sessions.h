// Which clients have a websocket open through this node, and to which replica: a draining replica
// keeps those, and only those. With upstream.rebalance, also who has a request open. Any thread;
// touched when a websocket (or such a request) opens or closes, and seldom asked.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/strings.h"

namespace usher::routing {

class LiveSessions final {
 public:
  // `fixed`: it ends when it leaves that replica.
  void opened(std::string_view client, std::string_view replica, bool fixed = true) {
    const std::lock_guard lock(mutex_);
    open_.emplace(client, Place{std::string(replica), fixed});
  }
  void closed(std::string_view client, std::string_view replica, bool fixed = true) {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = open_.equal_range(std::string(client));
    const auto found = std::find_if(first, last, [&](const auto& entry) {
      return entry.second.replica == replica && entry.second.fixed == fixed;
    });
    if (found != last) open_.erase(found);
  }
  bool has_fixed(std::string_view client, std::string_view replica) const {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = open_.equal_range(std::string(client));
    return std::any_of(first, last, [&](const auto& entry) {
      return entry.second.replica == replica && entry.second.fixed;
    });
  }
  bool has(std::string_view client) const {
    const std::lock_guard lock(mutex_);
    return open_.contains(std::string(client));
  }
  bool has(std::string_view client, std::string_view replica) const {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = open_.equal_range(std::string(client));
    return std::any_of(first, last,
                       [&](const auto& entry) { return entry.second.replica == replica; });
  }
  // To any other replica.
  bool has_elsewhere(std::string_view client, std::string_view replica) const {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = open_.equal_range(std::string(client));
    return std::any_of(first, last,
                       [&](const auto& entry) { return entry.second.replica != replica; });
  }

  void request_began(std::string_view client) {
    const std::lock_guard lock(mutex_);
    ++requests_[std::string(client)];
  }
  void request_ended(std::string_view client) {
    const std::lock_guard lock(mutex_);
    const auto found = requests_.find(std::string(client));
    if (found != requests_.end() && --found->second == 0) requests_.erase(found);
  }
  // Neither a websocket nor a request.
  bool idle(std::string_view client) const {
    const std::lock_guard lock(mutex_);
    const std::string key(client);
    return !open_.contains(key) && !requests_.contains(key);
  }

 private:
  struct Place {
    std::string replica;
    bool fixed;
  };

  mutable std::mutex mutex_;
  std::unordered_multimap<std::string, Place> open_;  // by client, one for each websocket
  std::unordered_map<std::string, uint32_t> requests_;
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
