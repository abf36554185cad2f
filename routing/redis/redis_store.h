// The Store on Redis. Keys "<prefix>:client:<id>", "<prefix>:sid:<sid>": values "<epoch>
// <replica>"; "<prefix>:acme:<token>". Every key has a TTL. Docs: docs/store.md.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "routing/redis/redis.h"
#include "routing/secret_ring.h"
#include "routing/store.h"

namespace usher::routing::redis {

// "<epoch> <replica>". Nothing for what is no binding.
std::optional<Binding> parse_binding(std::string_view value);

// Where moves are announced, and what an announcement says: "<key> <epoch> <replica>", the key
// without the prefix.
std::string moved_channel(const std::string& prefix);
std::optional<Moved> parse_moved(std::string_view text);

struct AgreedRing {
  SecretRing ring;
  WallTime now;
};

class RedisStore final : public Store {
 public:
  RedisStore(Redis& redis, std::string prefix);

  Pending find(std::string_view key, Found found) override;
  Pending claim(std::string_view key, Binding proposal, std::chrono::milliseconds ttl,
                Claimed claimed) override;
  bool available() const override { return redis_.available(); }
  Pending find_challenge(std::string_view token, FoundChallenge found) override;
  Pending keep_challenge(std::string_view token, std::string_view key_authorization,
                         std::chrono::milliseconds ttl, KeptChallenge kept) override;
  Pending drop_challenge(std::string_view token, KeptChallenge dropped) override;

  // The ring under "<prefix>:<name>" that all nodes share. `known` is stored where there is none;
  // `fresh`, a new secret, is put in front when the rules or `rotate` say so. Answers with the ring
  // that holds, and the server's time; `now` stands for it where the server does not tell.
  Pending agree_on_ring(std::string_view name, const SecretRing& known, std::string_view fresh,
                        const RingRules& rules, bool rotate, WallTime now,
                        std::function<void(Result<AgreedRing>)> agreed);

 private:
  std::string key_of(std::string_view key) const;

  Redis& redis_;
  std::string prefix_;
};

}  // namespace usher::routing::redis
