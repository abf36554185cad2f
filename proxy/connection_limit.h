// How many connections each client address has, over all workers, and how many of those beyond
// the limit are told so. Used only when limits.connections is set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/seeded_hash.h"

namespace usher::proxy {

class ConnectionLimit final {
 public:
  // False when the address has `most` already.
  bool enter(const std::string& address, uint32_t most) {
    const std::lock_guard lock(mutex_);
    uint32_t& count = counts_[address];
    if (count >= most) return false;
    ++count;
    return true;
  }
  void leave(const std::string& address) {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(address);
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, uint32_t, SeededHash> counts_;
};

// To be refused with an answer costs a TLS handshake and a head. A worker does that for so many at
// once and in a second; it closes the others without a word.
class RefusalBudget final {
 public:
  static constexpr size_t most_at_once = 64;
  static constexpr size_t most_a_second = 64;

  // False when the budget is used up; else give_back() follows.
  bool take(MonotonicTime now) {
    if (now - second_ >= std::chrono::seconds(1)) {
      second_ = now;
      in_second_ = 0;
    }
    if (at_once_ >= most_at_once || in_second_ >= most_a_second) return false;
    ++at_once_;
    ++in_second_;
    return true;
  }
  void give_back() { --at_once_; }

 private:
  MonotonicTime second_;
  size_t at_once_ = 0;
  size_t in_second_ = 0;
};

}  // namespace usher::proxy
