// The secret that signs affinity cookies. Given in the settings, or made once: kept in the state
// directory, and with a shared store agreed on by all nodes. Whichever node comes first decides;
// the others keep believing what they signed with before.
#pragma once

#include <functional>

#include "base/log.h"
#include "base/pending.h"
#include "conf/settings.h"
#include "control/state_directory.h"
#include "control/stores.h"
#include "net/loop.h"
#include "net/timer.h"
#include "routing/affinity_cookie.h"

namespace usher::control {

class SecretKeeper final {
 public:
  SecretKeeper(net::Loop& loop, const StateDirectory& state, const Log& log,
               std::function<void()> changed);

  // `store` may be nullptr. `changed` follows when the secrets change, and once when they are
  // settled.
  void start(const conf::AffinitySettings& settings, RedisDoor* store);
  // The nodes agree, or there is nobody to agree with.
  bool settled() const { return settled_; }
  const routing::AffinitySecrets& secrets() const { return secrets_; }

 private:
  void agree();
  void on_agreed(Result<std::string> agreed);

  const StateDirectory& state_;
  const Log& log_;
  std::function<void()> changed_;
  RedisDoor* store_ = nullptr;
  Pending asked_;
  net::Timer<&SecretKeeper::agree> again_;
  routing::AffinitySecrets secrets_;
  bool settled_ = false;
};

}  // namespace usher::control
