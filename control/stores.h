// Makes each worker's Store out of the settings: doors to one table in memory, or a Redis
// client each.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "conf/settings.h"
#include "net/loop.h"
#include "net/system_resolver.h"
#include "routing/memory_store.h"
#include "routing/redis/announcements.h"
#include "routing/redis/make_redis.h"
#include "routing/redis/redis_store.h"
#include "routing/redis/store_watcher.h"
#include "routing/store.h"
#include "routing/store_status.h"

namespace usher::control {

// A connection to Redis with all that it needs, for one loop.
class RedisDoor final : public routing::Store, private routing::redis::Redis::Watcher {
 public:
  RedisDoor(net::Loop& loop, const conf::StoreSettings& settings,
            const routing::redis::MakeTransport& make_transport, routing::StoreStatus& status)
      : settings_(settings),
        resolver_(loop),
        watcher_(status),
        redis_(routing::redis::make_redis({loop, resolver_, settings_, make_transport}, *this)),
        store_(*redis_, settings_.prefix) {}

  Pending find(std::string_view key, Found found) override {
    return store_.find(key, std::move(found));
  }
  Pending claim(std::string_view key, routing::Binding proposal, std::chrono::milliseconds ttl,
                Claimed claimed) override {
    return store_.claim(key, std::move(proposal), ttl, std::move(claimed));
  }
  bool available() const override { return store_.available(); }
  Pending find_challenge(std::string_view token, FoundChallenge found) override {
    return store_.find_challenge(token, std::move(found));
  }
  Pending keep_challenge(std::string_view token, std::string_view key_authorization,
                         std::chrono::milliseconds ttl, KeptChallenge kept) override {
    return store_.keep_challenge(token, key_authorization, ttl, std::move(kept));
  }
  Pending drop_challenge(std::string_view token, KeptChallenge dropped) override {
    return store_.drop_challenge(token, std::move(dropped));
  }
  routing::redis::RedisStore& store() { return store_; }
  // Called whenever the store can be asked (again).
  void when_up(std::function<void()> up) { up_.push_back(std::move(up)); }

 private:
  void on_store_up() override {
    watcher_.on_store_up();
    for (const auto& up : up_)
      up();
  }
  void on_store_down(const Error& why) override { watcher_.on_store_down(why); }
  void on_store_call(const Error* error,
                     std::optional<std::chrono::microseconds> round_trip) override {
    watcher_.on_store_call(error, round_trip);
  }

  std::vector<std::function<void()>> up_;
  const conf::StoreSettings settings_;
  net::SystemResolver resolver_;
  routing::redis::StoreWatcher watcher_;
  std::unique_ptr<routing::redis::Redis> redis_;
  routing::redis::RedisStore store_;
};

class Stores final {
 public:
  Stores(const conf::StoreSettings& settings, const Clock& clock, const Log& log)
      : settings_(settings),
        status_(log, to_string(settings.url)),
        table_(clock, settings.memory.bytes),
        challenges_(clock) {}

  // Before any store is made. An error names the file that is wrong.
  Outcome prepare(const Files& files) {
    auto made = routing::redis::make_transports(settings_, files);
    if (!made) return std::move(made).error();
    make_transport_ = std::move(*made);
    return {};
  }

  // For a worker. Its loop outlives it.
  std::unique_ptr<routing::Store> make(net::Loop& loop) {
    if (shared()) return std::make_unique<RedisDoor>(loop, settings_, make_transport_, status_);
    return std::make_unique<routing::MemoryStore>(table_, challenges_, loop);
  }
  // For the secrets; nullptr when the store is this process's own.
  std::unique_ptr<RedisDoor> make_shared_door(net::Loop& loop) {
    if (!shared()) return nullptr;
    return std::make_unique<RedisDoor>(loop, settings_, make_transport_, status_);
  }
  // Of moves by other nodes; nullptr when there are none. loop and resolver outlive it.
  std::unique_ptr<routing::redis::Announcements> make_announcements(
      net::Loop& loop, net::Resolver& resolver, const Log& log,
      routing::redis::Announcements::Learn learn, routing::redis::Announcements::Doubt doubt) {
    if (!shared()) return nullptr;
    return std::make_unique<routing::redis::Announcements>(
        routing::redis::Access{loop, resolver, settings_, make_transport_}, log, std::move(learn),
        std::move(doubt));
  }
  bool shared() const { return settings_.url.kind != conf::StoreKind::memory; }
  const routing::StoreStatus& status() const { return status_; }
  routing::StoreState state() const { return shared() ? status_.state() : routing::StoreState::up; }

 private:
  const conf::StoreSettings settings_;
  routing::redis::MakeTransport make_transport_;
  routing::StoreStatus status_;
  routing::MemoryTable table_;
  routing::ChallengeTable challenges_;
};

}  // namespace usher::control
