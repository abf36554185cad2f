// Where session affinity lives: session key -> binding, asynchronously, shared by the nodes (Redis)
// or by this process's workers (memory).
//
// Rules for every implementation: an answer is never delivered inside the call that asked; dropping
// the Pending cancels it; an answer comes within the store's time-out, as an Error if need be; a
// store that is known to be down fails at once (in the next turn).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/pending.h"
#include "base/result.h"

namespace usher::routing {

// A session's home. Epochs fence changes: a binding is replaced only by one with a higher epoch, so
// two nodes that move a session at the same time agree on whoever came first.
struct Binding {
  std::string replica;  // its id
  uint64_t epoch = 0;   // 0: no binding
  friend bool operator==(const Binding&, const Binding&) = default;
};

// A session has a new home: what one node tells the others.
struct Moved {
  std::string key;
  Binding binding;
};

class AffinityStore {
 public:
  using Found = std::function<void(Result<std::optional<Binding>>)>;
  using Claimed = std::function<void(Result<Binding>)>;

  virtual ~AffinityStore() = default;

  // The binding under key. Does not change how long it lives.
  virtual Pending find(std::string_view key, Found found) = 0;

  // Stores `proposal` unless the key holds a binding whose epoch is as high or higher; answers with
  // the binding that now holds. Either way it lives for `ttl` from now.
  virtual Pending claim(std::string_view key, Binding proposal, std::chrono::milliseconds ttl,
                        Claimed claimed) = 0;

  // False while commands are known to fail.
  virtual bool available() const = 0;
};

}  // namespace usher::routing
