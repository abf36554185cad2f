// A SecretRing that this node keeps in step: with the other nodes through the store, or by itself
// where there is no store.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/pending.h"
#include "control/stores.h"
#include "net/loop.h"
#include "net/timer.h"
#include "routing/secret_ring.h"

namespace usher::control {

class RingKeeper final {
 public:
  struct Plan {
    std::string name;  // in the store, behind the prefix
    routing::RingRules rules;
    // Far below the rules' lead: who is not cut off for long hears of a secret before it is used.
    Duration ask_again{0};
    routing::SecretRing known;  // not empty
  };
  // After each agreement: what the ring was before it.
  using Agreed = std::function<void(const routing::SecretRing& before, bool first)>;

  RingKeeper(net::Loop& loop, const Clock& clock, Agreed agreed);

  // `store` may be nullptr: then there is nobody to agree with, and agreements are its own.
  void start(Plan plan, RedisDoor* store);
  // A new secret at the next agreement, which comes at once.
  void rotate();
  bool settled() const { return settled_; }
  const routing::SecretRing& ring() const { return ring_; }
  // As of the last agreement: what is to be used, and after it all that is believed.
  const std::vector<std::string>& in_use() const { return in_use_; }

 private:
  void agree();
  void on_agreed(Result<routing::redis::AgreedRing> agreed);

  const Clock& clock_;
  Agreed agreed_;
  RedisDoor* store_ = nullptr;
  Plan plan_;
  Pending asked_;
  net::Timer<&RingKeeper::agree> again_;
  routing::SecretRing ring_;
  std::vector<std::string> in_use_;
  bool settled_ = false;
  bool rotate_ = false;
};

}  // namespace usher::control
