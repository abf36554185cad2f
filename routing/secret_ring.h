// A secret that all nodes share and that is replaced now and then: what it is now, and what it was.
// Pure; how the nodes come to have the same ring is the store's business.
//
// A new secret is believed at once and used only after `lead`, when every node has heard of it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace usher::routing {

// When a ring changes. Each counts from when a secret was made.
struct RingRules {
  Duration rotate_after{0};                  // 0: only when told to
  Duration keep{0};                          // the former one, once it has a successor
  Duration life{0};                          // of the ring in a store that nobody asks
  Duration lead = std::chrono::minutes(10);  // from when one is believed until it is used
};

// Milliseconds of the wall clock. Nothing for what it cannot hold.
std::optional<WallTime> parse_ring_time(std::string_view text);

class SecretRing final {
 public:
  static constexpr Duration lead = RingRules{}.lead;
  static constexpr size_t most = 8;

  struct Entry {
    WallTime made;  // the epoch: nobody knows
    std::string secret;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  SecretRing() = default;
  explicit SecretRing(std::string secret) : entries_{{WallTime(), std::move(secret)}} {}

  // Lines "<milliseconds of the wall clock> <secret>", the newest first; what is none is left out.
  static SecretRing parse(std::string_view text);
  std::string to_text() const;

  // What is to be used now, and after it all that is believed, each once.
  std::vector<std::string> in_use(WallTime now, Duration lead = SecretRing::lead) const;
  // What it becomes where there is nobody to agree with: with `fresh`, a new secret, in front when
  // the rules or `rotate` say so, and without those that are too old.
  SecretRing renewed(std::string_view fresh, const RingRules& rules, bool rotate,
                     WallTime now) const;
  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }  // the newest first

  friend bool operator==(const SecretRing&, const SecretRing&) = default;

 private:
  std::vector<Entry> entries_;
};

}  // namespace usher::routing
