#include "routing/unknown_keys.h"

#include <iterator>

namespace usher::routing {

UnknownKeys::UnknownKeys(const Clock& clock, size_t most) : clock_(clock), most_(most) {}

bool UnknownKeys::has(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const auto known = by_key_.find(key);
  return known != by_key_.end() && known->second->until > clock_.now();
}

void UnknownKeys::add(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.now();
  if (const auto known = by_key_.find(key); known != by_key_.end()) drop(known->second);
  while (!entries_.empty() && (entries_.front().until <= now || entries_.size() >= most_))
    drop(entries_.begin());
  entries_.push_back({std::string(key), now + life});
  by_key_.emplace(entries_.back().key, std::prev(entries_.end()));
}

void UnknownKeys::remove(std::string_view key) {
  const std::lock_guard lock(mutex_);
  if (const auto known = by_key_.find(key); known != by_key_.end()) drop(known->second);
}

size_t UnknownKeys::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void UnknownKeys::drop(Entries::iterator entry) {
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace usher::routing
