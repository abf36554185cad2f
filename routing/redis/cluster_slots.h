// Which master of a Redis Cluster has which keys: the hash slot of a key, the map of slots, and
// what a member says of keys that it has not. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conf/settings.h"
#include "routing/redis/reply.h"

namespace usher::routing::redis {

constexpr uint16_t slot_count = 16384;

// Redis Cluster specification, "Key distribution model": CRC-16/XMODEM of the key, or of what
// stands between its first "{" and the next "}" unless that is nothing.
uint16_t slot_of(std::string_view key);

class SlotMap final {
 public:
  static constexpr size_t most_masters = 1000;  // as many as a cluster may have

  SlotMap() : owner_(slot_count, nobody) {}

  // The answer to CLUSTER SLOTS. `asked` is the host of a member that names none.
  static Result<SlotMap> parse(const Reply& reply, const std::string& asked);

  // nullptr: nobody has it.
  const conf::Endpoint* master_of(uint16_t slot) const;
  // A slot has moved. False when there are too many masters to know one more.
  bool assign(uint16_t slot, const conf::Endpoint& master);
  // Everybody who has, or had, a slot.
  const std::vector<conf::Endpoint>& masters() const { return masters_; }
  bool complete() const;

 private:
  static constexpr uint16_t nobody = 0xffff;

  std::optional<uint16_t> index_of(const conf::Endpoint& master);

  std::vector<conf::Endpoint> masters_;
  std::vector<uint16_t> owner_;  // of each slot: its place in masters_
};

// "MOVED 3999 127.0.0.1:6381": the slot is that server's. "ASK …": this one key may be there
// already.
struct Redirection {
  bool ask = false;
  uint16_t slot = 0;
  conf::Endpoint target;
};
// Nothing for any other refusal. `asked` is the host of the member that said so.
std::optional<Redirection> parse_redirection(std::string_view refusal, const std::string& asked);

}  // namespace usher::routing::redis
