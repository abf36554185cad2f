// A client with everything around it, and what it has said.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "net/system_resolver.h"
#include "routing/redis/redis_client.h"
#include "tests/unit/routing_redis/driver.h"

namespace usher::routing::redis {

struct Witness final : Redis::Watcher {
  void on_store_up() override { events.push_back("up"); }
  void on_store_down(const Error& why) override {
    events.push_back("down");
    why_down = to_string(why);
  }
  void on_store_call(const Error* error,
                     std::optional<std::chrono::microseconds> round_trip) override {
    ++calls;
    if (error) ++failures;
    if (round_trip) last_round_trip = *round_trip;
  }

  std::vector<std::string> events;
  std::string why_down;
  int calls = 0;
  int failures = 0;
  std::chrono::microseconds last_round_trip{0};
};

// What came of one call.
struct Call {
  Pending pending;
  std::optional<Result<Reply>> result;

  bool done() const { return result.has_value(); }
  std::string text() const {
    if (!result) return "(no answer)";
    if (!*result) return to_string(result->error());
    switch ((*result)->kind) {
      case Reply::Kind::nil: return "(nil)";
      case Reply::Kind::integer: return std::to_string((*result)->integer);
      case Reply::Kind::array: return "(array)";
      default: return (*result)->text;
    }
  }
};

struct ClientFixture {
  explicit ClientFixture(uint16_t port) {
    settings.url.kind = conf::StoreKind::redis;
    settings.url.servers = {{.host = "127.0.0.1", .port = port, .unix_path = {}}};
  }

  RedisClient& make() { return client.emplace(access(), witness); }
  Access access() { return {driver.loop, resolver, settings, plain_transports()}; }
  bool up() {
    return driver.until([this] { return client->available(); });
  }
  bool down() {
    return driver.until([this] { return !client->available(); });
  }
  void send(Call& call, std::initializer_list<std::string_view> words) {
    call.result.reset();
    call.pending =
        client->call("", words, [&call](Result<Reply> result) { call.result = std::move(result); });
  }
  std::string ask(std::initializer_list<std::string_view> words) {
    Call call;
    send(call, words);
    driver.until([&] { return call.done(); });
    return call.text();
  }

  Driver driver;
  net::SystemResolver resolver{driver.loop};
  conf::StoreSettings settings;
  Witness witness;
  std::optional<RedisClient> client;
};

}  // namespace usher::routing::redis
