// The zones that routes limit by, with what they have counted. Part of a snapshot; the counts are
// shared by all workers and by successive snapshots.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "conf/settings.h"
#include "proxy/connection_zone.h"
#include "proxy/rate_zone.h"

namespace usher::proxy {

// Written by every worker.
struct LimitCounters {
  std::atomic<uint64_t> delayed{0};
  std::atomic<uint64_t> refused{0};
};

// What the limits of rate make of a request.
struct RateVerdict {
  std::string_view zone;  // that delays or refuses it
  bool refused = false;
  std::chrono::milliseconds delay{0};
  std::chrono::seconds again_after{0};  // of one refused: when one more would be let in
  uint64_t excess = 0;                  // thousandths of a request ahead of the rate
};

// What the limits of connections make of it: places, or the name of the zone that has none.
struct ConnectionVerdict {
  std::string_view full_zone;
  std::vector<ZonePlace> places{};
};

class LimitZones final {
 public:
  // What a key stands for in the request. Empty: the zone does not count it.
  using KeyOf = std::function<std::string(const conf::Template& key)>;

  LimitZones() = default;
  // A zone that `before` has by the same name, of the same key and size, goes on with what it has
  // counted; its rate may be another.
  LimitZones(const conf::Settings& settings, const LimitZones& before);

  // The zones must be there: check() of the settings has seen to it.
  RateVerdict admit(const std::vector<conf::RateLimitSettings>& limits, const KeyOf& key_of,
                    MonotonicTime now) const;
  ConnectionVerdict enter(const std::vector<conf::ConnectionLimitSettings>& limits,
                          const KeyOf& key_of) const;

  struct Rate {
    conf::RateZoneSettings settings;
    std::shared_ptr<RateZone> buckets;
    std::shared_ptr<LimitCounters> counters;
  };
  struct Connections {
    conf::ConnectionZoneSettings settings;
    std::shared_ptr<ConnectionZone> counts;
    std::shared_ptr<LimitCounters> counters;
  };
  const std::vector<Rate>& rates() const { return rates_; }
  const std::vector<Connections>& connections() const { return connections_; }

 private:
  std::vector<Rate> rates_;
  std::vector<Connections> connections_;
};

}  // namespace usher::proxy
