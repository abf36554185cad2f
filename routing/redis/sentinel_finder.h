// The master that Sentinels name: each is asked in turn, who answered first. They are told the
// password of settings.url only when they ask for one.
//
// A Sentinel may name a master that has just lost its office. That it takes writes is for whoever
// connects to find out, and to ask again. That there is another one a Sentinel announces, and the
// finder passes it on at once.
#pragma once

#include "base/pending.h"
#include "routing/redis/access.h"
#include "routing/redis/inquiry.h"
#include "routing/redis/subscription.h"

namespace usher::routing::redis {

// The answer to SENTINEL GET-MASTER-ADDR-BY-NAME.
Result<conf::Endpoint> parse_master(const Reply& reply);

class SentinelFinder final : public ServerFinder,
                             private PendingAnswer,
                             private Subscription::Listener {
 public:
  explicit SentinelFinder(const Access& access);

  Pending find(Found found) override;
  void when_moved(std::function<void()> moved) override { moved_ = std::move(moved); }

 private:
  void on_message(std::string_view text) override;

  void cancel() noexcept override;
  void on_asked(const Outcome& outcome);
  void finish(Result<std::vector<ServerAddress>> result);

  const Access access_;
  const std::string service_;
  Inquiry inquiry_;
  Pending asking_;
  Pending resolving_;
  conf::Endpoint master_;
  Found found_;
  std::function<void()> moved_;
  std::unique_ptr<Subscription> switches_;
};

}  // namespace usher::routing::redis
