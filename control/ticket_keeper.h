// The secrets behind the keys of TLS session tickets. They are made in the store and shared by its
// nodes, and are replaced every tls.ticket_rotate; without a store they are this node's own. They
// are never written to a disk of ours.
#pragma once

#include <functional>

#include "base/clock.h"
#include "conf/settings.h"
#include "control/ring_keeper.h"
#include "control/stores.h"
#include "net/loop.h"
#include "tls/ticket_secrets.h"

namespace usher::control {

class TicketKeeper final {
 public:
  // `changed` follows when other secrets are to be used or believed, and once when they are
  // settled.
  TicketKeeper(net::Loop& loop, const Clock& clock, std::function<void()> changed);

  // `store` may be nullptr. A second start changes nothing.
  void start(const conf::TlsSettings& settings, RedisDoor* store);
  // The nodes agree, or there is nobody to agree with, or no tickets are given.
  bool settled() const { return !started_ || ring_.settled(); }
  // Without secrets: there are to be no tickets.
  const tls::TicketSecrets& secrets() const { return secrets_; }

 private:
  void on_agreed(bool first);

  std::function<void()> changed_;
  RingKeeper ring_;
  tls::TicketSecrets secrets_;
  bool started_ = false;
};

}  // namespace usher::control
