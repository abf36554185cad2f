// What any worker of this node has lately been told by the store: so that a client whose requests
// reach many workers costs one question a node, not one a worker. Bounded. Any thread.
#pragma once

#include <mutex>
#include <optional>
#include <string_view>

#include "routing/affinity_store.h"
#include "routing/binding_cache.h"

namespace usher::routing {

class NodeBindings final {
 public:
  explicit NodeBindings(const Clock& clock, size_t most = 65'536);

  struct Known {
    Binding binding;
    MonotonicTime verified;
    uint32_t absences = 0;  // of its replica, when the store said so
  };
  // Not older than `since`.
  std::optional<Known> find(std::string_view key, MonotonicTime since);
  // However old, and doubted or not: if its epoch is above that one.
  std::optional<Binding> last_known(std::string_view key, uint64_t above);
  // Unless something of a higher epoch is known.
  void put(std::string_view key, const Known& known);
  // Decided by a worker that cannot ask the store. Remembered for last_known() alone, and only if
  // nothing of its epoch is known.
  void suppose(std::string_view key, const Binding& binding);

  // Another node has moved this session. Remembered also when nobody has asked about it here.
  void learn(const Moved& moved);
  // What is known may be wrong.
  void doubt();

 private:
  const Clock& clock_;
  std::mutex mutex_;  // for these two
  BindingCache cache_;
  MonotonicTime doubted_ = BindingCache::never;
};

}  // namespace usher::routing
