// How many connections each network has, over all workers. For comparing alone: networks may share
// a count, so none costs memory. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "base/network.h"
#include "base/seeded_hash.h"

namespace usher::proxy {

class Crowds final {
 public:
  using Count = std::atomic<uint32_t>;

  Count& of(std::span<const uint8_t> ip) { return counts_[hash_(network_of(ip)) % counts_.size()]; }

 private:
  const SeededHash hash_;
  std::array<Count, 4096> counts_{};
};

}  // namespace usher::proxy
