// The addresses whose HTTP/2 connections have flooded lately: what they open again within `penalty`
// is closed before it can cost a handshake. Of one worker; bounded.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>

#include "base/clock.h"

namespace usher::proxy {

class Flooders final {
 public:
  static constexpr std::chrono::seconds penalty{10};
  static constexpr size_t most = 4096;

  // Whoever has an IPv6 address has 2^64 of them: they count as one.
  static std::string network_of(std::span<const uint8_t> ip) {
    return {reinterpret_cast<const char*>(ip.data()), ip.size() == 16 ? 8 : ip.size()};
  }

  void add(std::span<const uint8_t> ip, MonotonicTime now) {
    if (until_.size() >= most)
      std::erase_if(until_, [&](auto& each) { return each.second <= now; });
    if (until_.size() >= most) until_.erase(until_.begin());
    until_[network_of(ip)] = now + penalty;
  }
  bool has(std::span<const uint8_t> ip, MonotonicTime now) {
    if (until_.empty()) return false;
    const auto found = until_.find(network_of(ip));
    if (found == until_.end()) return false;
    if (found->second > now) return true;
    until_.erase(found);
    return false;
  }

 private:
  std::unordered_map<std::string, MonotonicTime> until_;
};

}  // namespace usher::proxy
