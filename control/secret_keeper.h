// The secrets that sign affinity cookies. Given in the settings, or made once and kept in the state
// directory. With a shared store all nodes have one SecretRing, which whichever node comes first
// makes, and which rotates: a new secret is believed by every node before the first one signs with
// it, and an old one as long as its cookies may come back.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "conf/settings.h"
#include "control/ring_keeper.h"
#include "control/state_directory.h"
#include "control/stores.h"
#include "net/loop.h"
#include "routing/affinity_cookie.h"
#include "routing/secret_ring.h"

namespace usher::control {

class SecretKeeper final {
 public:
  SecretKeeper(net::Loop& loop, const Clock& clock, const StateDirectory& state, const Log& log,
               std::function<void()> changed);

  // `store` may be nullptr. `changed` follows when the secrets change, and once when they are
  // settled.
  void start(const conf::AffinitySettings& settings, RedisDoor* store);
  // A new secret, now. An error: why there can be none.
  Outcome rotate();
  // The nodes agree, or there is nobody to agree with.
  bool settled() const { return alone_ || ring_.settled(); }
  const routing::AffinitySecrets& secrets() const { return secrets_; }

 private:
  void on_agreed(const routing::SecretRing& before, bool first);
  // True when the secrets are others than before.
  bool use(const std::vector<std::string>& secrets);

  const StateDirectory& state_;
  const Log& log_;
  std::function<void()> changed_;
  bool given_ = false;  // by the settings
  bool alone_ = true;   // there is nobody to agree with, or nothing
  RingKeeper ring_;
  std::vector<std::string> own_;  // believed here too: signed with before the nodes agreed
  routing::AffinitySecrets secrets_;
};

}  // namespace usher::control
