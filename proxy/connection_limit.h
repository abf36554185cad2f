// How many connections each client address has, over all workers. Used only when limits.connections
// is set.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

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
  std::unordered_map<std::string, uint32_t> counts_;
};

}  // namespace usher::proxy
