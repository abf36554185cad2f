// The addresses whose HTTP/2 connections have flooded lately: what they open again within `penalty`
// is closed before it can cost a handshake. Of one worker; bounded.
//
// Many people may share an address. A flood from it is forgiven when its other connections have
// done so much good that the flood is small beside it. That good is spent then: a connection that
// was opened as an excuse is none.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/network.h"
#include "base/seeded_hash.h"

namespace usher::proxy {

class Flooders final {
 public:
  static constexpr std::chrono::seconds penalty{10};
  static constexpr size_t most = 4096;
  // Requests answered well that a flood must be weighed against, and how many of them one
  // connection can have to its credit.
  static constexpr uint32_t price = 100;
  static constexpr uint32_t most_of_one = 50;

  void add(std::span<const uint8_t> ip, MonotonicTime now) {
    if (until_.size() >= most)
      std::erase_if(until_, [&](auto& each) { return each.second <= now; });
    if (until_.size() >= most) until_.erase(until_.begin());
    until_[std::string(network_of(ip))] = now + penalty;
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
  std::unordered_map<std::string, MonotonicTime, SeededHash, std::equal_to<>> until_;
};

}  // namespace usher::proxy
