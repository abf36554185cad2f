// Keeps what repeats itself from filling the log: one line for each key and interval. Any thread.
// Bounded: beyond most_keys keys within their intervals, the rest share one.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/seeded_hash.h"

namespace usher {

class LogThrottle final {
 public:
  static constexpr size_t most_keys = 1024;

  // Nothing: hold this line back. Else write it; the number says how many of its key were held back
  // since the last one.
  std::optional<uint64_t> admit(std::string_view key, Duration interval, MonotonicTime now);

 private:
  struct Entry {
    MonotonicTime quiet_until;
    uint64_t held_back = 0;
  };

  std::mutex mutex_;
  std::unordered_map<std::string, Entry, SeededHash, std::equal_to<>> entries_;
};

}  // namespace usher
