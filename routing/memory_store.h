// The store for a single node: a table that the process's workers share. Bounded; the least
// recently used binding goes first. Any thread.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/clock.h"
#include "base/executor.h"
#include "base/strings.h"
#include "routing/affinity_store.h"

namespace usher::routing {

class MemoryTable final {
 public:
  explicit MemoryTable(const Clock& clock, size_t most = 1'000'000);

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

  void drop(Entries::iterator entry);

  const Clock& clock_;
  size_t most_;
  mutable std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> by_key_;
};

// One worker's door to the table: answers in a later turn of its loop. Lives as long as that loop
// runs.
class MemoryStore final : public AffinityStore {
 public:
  MemoryStore(MemoryTable& table, Executor& executor);
  ~MemoryStore() override;

  Pending find(std::string_view key, Found found) override;
  Pending claim(std::string_view key, Binding proposal, std::chrono::milliseconds ttl,
                Claimed claimed) override;
  bool available() const override { return true; }

 private:
  struct Waiting;
  Pending later(std::function<void()> deliver);
  void deliver_all();

  MemoryTable& table_;
  Executor& executor_;
  std::list<Waiting> waiting_;
};

}  // namespace usher::routing
