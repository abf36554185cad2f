// Which clients have a websocket open through this node, and to which replica: a draining replica
// keeps those, and only those. Any thread; touched when a websocket opens or closes, and seldom
// asked.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/strings.h"

namespace usher::routing {

class LiveSessions final {
 public:
  void opened(std::string_view client, std::string_view replica) {
    const std::lock_guard lock(mutex_);
    open_.emplace(client, replica);
  }
  void closed(std::string_view client, std::string_view replica) {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = open_.equal_range(std::string(client));
    const auto found =
        std::find_if(first, last, [&](const auto& entry) { return entry.second == replica; });
    if (found != last) open_.erase(found);
  }
  bool has(std::string_view client) const {
    const std::lock_guard lock(mutex_);
    return open_.contains(std::string(client));
  }
  bool has(std::string_view client, std::string_view replica) const {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = open_.equal_range(std::string(client));
    return std::any_of(first, last, [&](const auto& entry) { return entry.second == replica; });
  }
  // To any other replica.
  bool has_elsewhere(std::string_view client, std::string_view replica) const {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = open_.equal_range(std::string(client));
    return std::any_of(first, last, [&](const auto& entry) { return entry.second != replica; });
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_multimap<std::string, std::string>
      open_;  // client -> replica, one for each websocket
};

}  // namespace usher::routing
