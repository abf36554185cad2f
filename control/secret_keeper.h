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
#include "base/pending.h"
#include "conf/settings.h"
#include "control/state_directory.h"
#include "control/stores.h"
#include "net/loop.h"
#include "net/timer.h"
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
  bool settled() const { return settled_; }
  const routing::AffinitySecrets& secrets() const { return secrets_; }

 private:
  void agree();
  void on_agreed(Result<routing::redis::AgreedRing> agreed);
  // True when the secrets are others than before.
  bool use(const std::vector<std::string>& secrets);

  const Clock& clock_;
  const StateDirectory& state_;
  const Log& log_;
  std::function<void()> changed_;
  RedisDoor* store_ = nullptr;
  bool given_ = false;  // by the settings
  Pending asked_;
  net::Timer<&SecretKeeper::agree> again_;
  routing::RingRules rules_;
  routing::SecretRing ring_;
  std::vector<std::string> own_;  // believed here too: signed with before the nodes agreed
  routing::AffinitySecrets secrets_;
  bool settled_ = false;
  bool rotate_ = false;  // at the next agreement
};

}  // namespace usher::control
