#include "base/log_throttle.h"

#include <utility>

namespace usher {

std::optional<uint64_t> LogThrottle::admit(std::string_view key, Duration interval,
                                           MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (entries_.size() >= most_keys) {
      std::erase_if(entries_, [now](const auto& each) { return each.second.quiet_until <= now; });
    }
    const std::string_view name = entries_.size() < most_keys ? key : std::string_view();
    found = entries_.try_emplace(std::string(name)).first;
  }
  Entry& entry = found->second;
  if (now < entry.quiet_until) {
    ++entry.held_back;
    return std::nullopt;
  }
  entry.quiet_until = now + interval;
  return std::exchange(entry.held_back, 0);
}

}  // namespace usher
