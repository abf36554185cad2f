// Keys that the store has just said it does not hold: who asks for one again within a moment costs
// it nothing. Bounded; the oldest goes first. Any thread.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/seeded_hash.h"

namespace usher::routing {

class UnknownKeys final {
 public:
  // Short, for another node may store such a key at any time and tells nobody.
  static constexpr Duration life = std::chrono::seconds(1);

  explicit UnknownKeys(const Clock& clock, size_t most = 4096);

  bool has(std::string_view key);
  void add(std::string_view key);
  // It has been stored.
  void remove(std::string_view key);
  size_t size() const;

 private:
  struct Entry {
    std::string key;
    MonotonicTime until;
  };
  using Entries = std::list<Entry>;  // the oldest first

  void drop(Entries::iterator entry);

  const Clock& clock_;
  const size_t most_;
  mutable std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator, SeededHash, std::equal_to<>> by_key_;
};

}  // namespace usher::routing
