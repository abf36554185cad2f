// What one worker knows of sessions' homes: a bounded table, the least recently used goes first.
// Counts in each replica's status how many clients are known to live there.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/seeded_hash.h"
#include "routing/affinity_store.h"
#include "routing/replica_board.h"

namespace usher::routing {

class BindingCache final {
 public:
  struct Entry {
    std::string key;
    Binding binding;
    MonotonicTime verified = never;  // when the store last said so
    MonotonicTime used;
    ReplicaStatus* counted_in = nullptr;
    uint32_t absences = 0;  // of its replica, when the client was last given it as its home
  };
  static constexpr MonotonicTime never = MonotonicTime::min();

  // Entries unused for longer than `idle` are forgotten, whatever `most` allows.
  BindingCache(const Clock& clock, size_t most, Duration idle);
  ~BindingCache();
  BindingCache(const BindingCache&) = delete;
  BindingCache& operator=(const BindingCache&) = delete;

  // Valid until the next call of put(). nullptr: not known.
  Entry* find(std::string_view key);
  Entry& put(std::string_view key, Binding binding, MonotonicTime verified);
  // Somebody else has moved the session: a higher epoch is right; what contradicts it otherwise is
  // to be asked about.
  void learn(const Moved& moved);
  void count_in(Entry& entry, ReplicaStatus* home);
  size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<Entry>;  // most recently used first

  void drop(Entries::iterator entry);

  const Clock& clock_;
  size_t most_;
  Duration idle_;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator, SeededHash> by_key_;
};

}  // namespace usher::routing
