#include "routing/node_sids.h"

#include <iterator>

namespace usher::routing {
namespace {

// No request pays for the end of many.
constexpr int most_drops = 64;

}  // namespace

NodeSids::NodeSids(const Clock& clock, size_t share, size_t most)
    : clock_(clock), most_(most), share_(share) {}

void NodeSids::set_share(size_t share) {
  const std::lock_guard lock(mutex_);
  share_ = share;
}

std::optional<Binding> NodeSids::find(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const auto known = by_key_.find(key);
  if (known == by_key_.end() || known->second->expires <= clock_.now()) return std::nullopt;
  return known->second->binding;
}

bool NodeSids::keep(std::string_view key, const Binding& binding, std::string_view network) {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.now();
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    Entry& entry = *known->second;
    const bool holds = entry.expires > now && entry.binding.epoch >= binding.epoch;
    if (!holds) entry.binding = binding;
    entry.expires = now + life;
    entries_.splice(entries_.end(), entries_, known->second);
    return true;
  }
  for (int drops = 0; drops < most_drops && !entries_.empty(); ++drops) {
    if (entries_.front().expires > now) break;
    drop(entries_.begin());
  }
  const auto counted = counts_.find(network);
  if (share_ > 0 && counted != counts_.end() && counted->second >= share_) return false;
  while (!entries_.empty() && entries_.size() >= most_)
    drop(entries_.begin());
  Counts::value_type& count = *counts_.try_emplace(std::string(network)).first;
  ++count.second;
  entries_.push_back({std::string(key), binding, now + life, &count});
  by_key_.emplace(entries_.back().key, std::prev(entries_.end()));
  return true;
}

size_t NodeSids::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void NodeSids::drop(Entries::iterator entry) {
  if (--entry->network->second == 0) counts_.erase(counts_.find(entry->network->first));
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace usher::routing
