// The Engine.IO polling sessions that this node keeps alive in the store: those whose handshake it
// has answered, and those that it has prolonged. Workers know each other's by it when the store is
// away; and clients of one network keep no more of them than their share. Bounded. Any thread.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/seeded_hash.h"
#include "routing/affinity_store.h"

namespace usher::routing {

class NodeSids final {
 public:
  // Longer than engine.io keeps a silent session; every worker that serves the session prolongs it.
  static constexpr Duration life = std::chrono::minutes(10);
  static constexpr size_t usual_most = 65'536;

  // `share`: of one network; 0: no bound but `most`.
  NodeSids(const Clock& clock, size_t share, size_t most = usual_most);
  void set_share(size_t share);

  std::optional<Binding> find(std::string_view key);
  // It lives for `life` from now, here and in the store. False: a new one, whose network has its
  // share already; then it is not to be stored either.
  bool keep(std::string_view key, const Binding& binding, std::string_view network);
  size_t size() const;

 private:
  using Counts = std::unordered_map<std::string, size_t, SeededHash, std::equal_to<>>;
  struct Entry {
    std::string key;
    Binding binding;
    MonotonicTime expires;
    Counts::value_type* network;  // counts of 0 are not kept
  };
  using Entries = std::list<Entry>;  // whatever expires first is first

  void drop(Entries::iterator entry);

  const Clock& clock_;
  const size_t most_;
  mutable std::mutex mutex_;
  size_t share_;
  Counts counts_;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator, SeededHash, std::equal_to<>> by_key_;
};

}  // namespace usher::routing
