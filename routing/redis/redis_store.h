// AffinityStore on Redis. Keys "<prefix>:client:<id>", "<prefix>:sid:<sid>": values "<epoch>
// <replica>", every key with a TTL. Docs: docs/store.md.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "routing/affinity_store.h"
#include "routing/redis/redis.h"

namespace usher::routing::redis {

// "<epoch> <replica>". Nothing for what is no binding.
std::optional<Binding> parse_binding(std::string_view value);

// Where moves are announced, and what an announcement says: "<key> <epoch> <replica>", the key
// without the prefix.
std::string moved_channel(const std::string& prefix);
std::optional<Moved> parse_moved(std::string_view text);

class RedisStore final : public AffinityStore {
 public:
  RedisStore(Redis& redis, std::string prefix);

  Pending find(std::string_view key, Found found) override;
  Pending claim(std::string_view key, Binding proposal, std::chrono::milliseconds ttl,
                Claimed claimed) override;
  bool available() const override { return redis_.available(); }

  // The secret that all nodes share: stores `proposal` under "<prefix>:secret" unless there is one,
  // and answers with the one that holds, its life prolonged.
  Pending agree_on_secret(std::string_view proposal, std::chrono::milliseconds ttl,
                          std::function<void(Result<std::string>)> agreed);

 private:
  std::string key_of(std::string_view key) const;

  Redis& redis_;
  std::string prefix_;
};

}  // namespace usher::routing::redis
