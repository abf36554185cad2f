#include "routing/binding_cache.h"

#include <iterator>
#include <utility>

namespace usher::routing {

BindingCache::BindingCache(const Clock& clock, size_t most, Duration idle)
    : clock_(clock), most_(most), idle_(idle) {}

BindingCache::~BindingCache() {
  for (Entry& entry : entries_)
    count_in(entry, nullptr);
}

BindingCache::Entry* BindingCache::find(std::string_view key) {
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, known->second);
  known->second->used = clock_.now();
  return &*known->second;
}

BindingCache::Entry& BindingCache::put(std::string_view key, Binding binding,
                                       MonotonicTime verified) {
  if (Entry* known = find(key)) {
    known->binding = std::move(binding);
    known->verified = verified;
    return *known;
  }
  const MonotonicTime now = clock_.now();
  // At most two go for one that comes: no request pays for the idleness of many.
  for (int drops = 0; drops < 2 && !entries_.empty(); ++drops) {
    const auto last = std::prev(entries_.end());
    if (entries_.size() < most_ && now - last->used < idle_) break;
    drop(last);
  }
  entries_.push_front({std::string(key), std::move(binding), verified, now, nullptr});
  by_key_.emplace(entries_.front().key, entries_.begin());
  return entries_.front();
}

void BindingCache::learn(const Moved& moved) {
  Entry* known = find(moved.key);
  if (!known) return;
  const bool newer = moved.binding.epoch > known->binding.epoch;
  known->verified = newer || moved.binding == known->binding ? clock_.now() : never;
  if (newer) known->binding = moved.binding;
}

void BindingCache::count_in(Entry& entry, ReplicaStatus* home) {
  if (entry.counted_in == home) return;
  if (entry.counted_in) entry.counted_in->sessions.fetch_sub(1, std::memory_order_relaxed);
  if (home) home->sessions.fetch_add(1, std::memory_order_relaxed);
  entry.counted_in = home;
}

void BindingCache::drop(Entries::iterator entry) {
  count_in(*entry, nullptr);
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace usher::routing
