// The store for a single node: a table that the process's workers share. Bounded by the memory that
// it takes; the least recently used binding goes first. Any thread.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/seeded_hash.h"
#include "base/strings.h"
#include "routing/store.h"

namespace usher::routing {

class MemoryTable final {
 public:
  static constexpr size_t usual_bytes = 64 * 1024 * 1024;

  explicit MemoryTable(const Clock& clock, size_t most_bytes = usual_bytes);

  std::optional<Binding> find(std::string_view key);
  Binding claim(std::string_view key, Binding proposal, std::chrono::milliseconds ttl);
  size_t size() const;

 private:
  struct Entry {
    std::string key;
    Binding binding;
    MonotonicTime expires;
  };
  using Entries = std::list<Entry>;  // most recently used first

  static size_t bytes_of(const Entry& entry);
  void drop(Entries::iterator entry);
  void make_room(MonotonicTime now);

  const Clock& clock_;
  const size_t most_bytes_;
  mutable std::mutex mutex_;
  size_t bytes_ = 0;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator, SeededHash> by_key_;
};

// The challenges of a single node. Bounded: the one that would be over first goes first. Any
// thread.
class ChallengeTable final {
 public:
  static constexpr size_t most = 1'000;

  explicit ChallengeTable(const Clock& clock) : clock_(clock) {}

  std::optional<std::string> find(std::string_view token);
  void keep(std::string_view token, std::string_view key_authorization,
            std::chrono::milliseconds ttl);
  void drop(std::string_view token);

 private:
  struct Entry {
    std::string token;
    std::string key_authorization;
    MonotonicTime expires;
  };

  const Clock& clock_;
  std::mutex mutex_;
  std::vector<Entry> entries_;
};

// One worker's door to the tables: answers in a later turn of its loop. Lives as long as that loop
// runs.
class MemoryStore final : public Store {
 public:
  MemoryStore(MemoryTable& table, ChallengeTable& challenges, Executor& executor);
  ~MemoryStore() override;

  Pending find(std::string_view key, Found found) override;
  Pending claim(std::string_view key, Binding proposal, std::chrono::milliseconds ttl,
                Claimed claimed) override;
  bool available() const override { return true; }
  Pending find_challenge(std::string_view token, FoundChallenge found) override;
  Pending keep_challenge(std::string_view token, std::string_view key_authorization,
                         std::chrono::milliseconds ttl, KeptChallenge kept) override;
  Pending drop_challenge(std::string_view token, KeptChallenge dropped) override;

 private:
  struct Waiting;
  Pending later(std::function<void()> deliver);
  void deliver_all();

  MemoryTable& table_;
  ChallengeTable& challenges_;
  Executor& executor_;
  std::list<Waiting> waiting_;
};

}  // namespace usher::routing
