// Stays subscribed to one channel, over a connection of its own. A message is lost while there is
// no subscription: its listener is told of both ends of such a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/timer.h"
#include "routing/redis/access.h"

namespace usher::routing::redis {

class Subscription final : private Connection::Owner {
 public:
  struct Listener {
    virtual void on_subscribed() {}
    // Once for each time without a subscription, and at the start if there is none.
    virtual void on_unsubscribed(const Error&) {}
    virtual void on_message(std::string_view text) = 0;

   protected:
    ~Listener() = default;
  };

  // A server that is silent for longer, though it is asked, is gone.
  static constexpr Duration ping_interval = std::chrono::seconds(10);

  Subscription(const Access& access, std::unique_ptr<ServerFinder> finder, Greeting greeting,
               std::string_view channel, Listener& listener);

  bool subscribed() const { return connection_.vouched(); }

 private:
  void on_ping_time();

  // Connection::Owner
  void on_connected() override;
  void on_reply(Reply reply) override;
  void on_lost(const Error& why, bool was_settled) override;

  const std::string subscribe_;
  Listener& listener_;
  Connection connection_;
  uint64_t heard_ = 0;  // when it was last asked
  bool missed_ = false;
  net::Timer<&Subscription::on_ping_time> ping_;
};

}  // namespace usher::routing::redis
