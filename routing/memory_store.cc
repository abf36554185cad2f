#include "routing/memory_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace usher::routing {

MemoryTable::MemoryTable(const Clock& clock, size_t most_bytes)
    : clock_(clock), most_bytes_(most_bytes) {}

// About: its nodes in the list and in the index, and what the allocator adds to each.
size_t MemoryTable::bytes_of(const Entry& entry) {
  constexpr size_t nodes = 208;
  return nodes + entry.key.size() + entry.binding.replica.size();
}

void MemoryTable::drop(Entries::iterator entry) {
  bytes_ -= bytes_of(*entry);
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

// The newest stays. Of those that are over, at most two go for one that comes: no request pays for
// the end of many.
void MemoryTable::make_room(MonotonicTime now) {
  for (int drops = 0; entries_.size() > 1; ++drops) {
    const bool over = drops < 2 && entries_.back().expires <= now;
    if (bytes_ <= most_bytes_ && !over) return;
    drop(std::prev(entries_.end()));
  }
}

std::optional<Binding> MemoryTable::find(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) return std::nullopt;
  const Entries::iterator entry = known->second;
  if (entry->expires <= clock_.now()) {
    drop(entry);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->binding;
}

Binding MemoryTable::claim(std::string_view key, Binding proposal, std::chrono::milliseconds ttl) {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.now();
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) {
    entries_.push_front({std::string(key), std::move(proposal), now + ttl});
    by_key_.emplace(entries_.front().key, entries_.begin());
    bytes_ += bytes_of(entries_.front());
    make_room(now);
    return entries_.front().binding;
  }
  Entry& entry = *known->second;
  const bool holds = entry.expires > now && entry.binding.epoch >= proposal.epoch;
  if (!holds) {
    bytes_ -= bytes_of(entry);
    entry.binding = std::move(proposal);
    bytes_ += bytes_of(entry);
  }
  entry.expires = now + ttl;
  entries_.splice(entries_.begin(), entries_, known->second);
  return entry.binding;
}

size_t MemoryTable::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::optional<std::string> ChallengeTable::find(std::string_view token) {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(entries_, token, &Entry::token);
  if (known == entries_.end() || known->expires <= clock_.now()) return std::nullopt;
  return known->key_authorization;
}

void ChallengeTable::keep(std::string_view token, std::string_view key_authorization,
                          std::chrono::milliseconds ttl) {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.now();
  std::erase_if(entries_,
                [&](const Entry& entry) { return entry.token == token || entry.expires <= now; });
  if (entries_.size() >= most)
    entries_.erase(std::ranges::min_element(entries_, {}, &Entry::expires));
  entries_.push_back({std::string(token), std::string(key_authorization), now + ttl});
}

void ChallengeTable::drop(std::string_view token) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const Entry& entry) { return entry.token == token; });
}

struct MemoryStore::Waiting final : PendingAnswer {
  explicit Waiting(std::function<void()> what) : deliver(std::move(what)) {}
  // It keeps its place in the queue: others may be walking along it.
  void cancel() noexcept override { deliver = nullptr; }
  using PendingAnswer::finished;

  std::function<void()> deliver;
};

MemoryStore::MemoryStore(MemoryTable& table, ChallengeTable& challenges, Executor& executor)
    : table_(table), challenges_(challenges), executor_(executor) {}
MemoryStore::~MemoryStore() = default;

Pending MemoryStore::find(std::string_view key, Found found) {
  return later([found = std::move(found), binding = table_.find(key)] { found(binding); });
}

Pending MemoryStore::claim(std::string_view key, Binding proposal, std::chrono::milliseconds ttl,
                           Claimed claimed) {
  return later([claimed = std::move(claimed),
                winner = table_.claim(key, std::move(proposal), ttl)] { claimed(winner); });
}

Pending MemoryStore::find_challenge(std::string_view token, FoundChallenge found) {
  return later([found = std::move(found), answer = challenges_.find(token)] { found(answer); });
}

Pending MemoryStore::keep_challenge(std::string_view token, std::string_view key_authorization,
                                    std::chrono::milliseconds ttl, KeptChallenge kept) {
  challenges_.keep(token, key_authorization, ttl);
  return later([kept = std::move(kept)] { kept({}); });
}

Pending MemoryStore::drop_challenge(std::string_view token, KeptChallenge dropped) {
  challenges_.drop(token);
  return later([dropped = std::move(dropped)] { dropped({}); });
}

Pending MemoryStore::later(std::function<void()> deliver) {
  if (waiting_.empty()) executor_.later([this] { deliver_all(); });
  return Pending(waiting_.emplace_back(std::move(deliver)));
}

void MemoryStore::deliver_all() {
  std::list<Waiting> due = std::move(waiting_);
  waiting_.clear();
  for (Waiting& waiting : due) {
    if (!waiting.deliver) continue;
    const std::function<void()> deliver = std::move(waiting.deliver);
    waiting.finished();
    deliver();
  }
}

}  // namespace usher::routing
