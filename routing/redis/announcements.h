// What the other nodes announce of bindings that have changed, each turn's together. Whoever
// listens must doubt all that it remembers whenever it is told so: something may have been missed.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "routing/affinity_store.h"
#include "routing/redis/subscription.h"

namespace usher::routing::redis {

class Announcements final : private Subscription::Listener {
 public:
  using Learn = std::function<void(std::vector<Moved>)>;
  using Doubt = std::function<void()>;

  Announcements(const Access& access, const Log& log, Learn learn, Doubt doubt);

  bool listening() const { return subscription_.subscribed(); }

 private:
  void on_subscribed() override;
  void on_unsubscribed(const Error& why) override;
  void on_message(std::string_view text) override;
  void on_turn_end();

  const Log& log_;
  Learn learn_;
  Doubt doubt_;
  bool deaf_ = false;
  std::vector<Moved> heard_;
  net::Timer<&Announcements::on_turn_end> turn_end_;
  Subscription subscription_;
};

}  // namespace usher::routing::redis
