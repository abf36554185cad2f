#include "proxy/limit_zones.h"

#include <algorithm>
#include <limits>

namespace usher::proxy {
namespace {

using std::chrono::milliseconds;

template <typename Zone>
const Zone* find_zone(const std::vector<Zone>& zones, std::string_view name) {
  const auto found = std::find_if(zones.begin(), zones.end(),
                                  [name](const Zone& zone) { return zone.settings.name == name; });
  return found == zones.end() ? nullptr : &*found;
}

// Does what the zone has counted mean the same?
template <typename Settings>
bool counts_alike(const Settings& a, const Settings& b) {
  return a.key == b.key && a.size == b.size;
}

// Requests that may be ahead before one waits, in thousandths.
uint64_t free_burst(const conf::RateLimitSettings& limit) {
  return limit.nodelay ? std::numeric_limits<uint64_t>::max() : uint64_t{limit.delay} * 1000;
}

// One limit, for the key that this request has in its zone.
struct Asked {
  const conf::RateLimitSettings& limit;
  const LimitZones::Rate& zone;
  std::string key;
  uint64_t rate;

  uint64_t burst() const { return uint64_t{limit.burst} * 1000; }
  milliseconds delay(uint64_t excess) const {
    const uint64_t free = free_burst(limit);
    return milliseconds(excess > free ? (excess - free) * 1000 / rate : 0);
  }
  RateVerdict refuse(uint64_t excess) const {
    ++zone.counters->refused;
    const auto seconds = static_cast<int64_t>((excess - burst() + rate - 1) / rate);
    return {.zone = zone.settings.name,
            .refused = true,
            .delay = {},
            .again_after = std::chrono::seconds(seconds),
            .excess = excess};
  }
};

}  // namespace

LimitZones::LimitZones(const conf::Settings& settings, const LimitZones& before) {
  for (const conf::RateZoneSettings& each : settings.rate_zones) {
    const Rate* old = find_zone(before.rates_, each.name);
    const bool kept = old && counts_alike(old->settings, each);
    rates_.push_back({each, kept ? old->buckets : std::make_shared<RateZone>(each.size.bytes),
                      old ? old->counters : std::make_shared<LimitCounters>()});
  }
  for (const conf::ConnectionZoneSettings& each : settings.connection_zones) {
    const Connections* old = find_zone(before.connections_, each.name);
    const bool kept = old && counts_alike(old->settings, each);
    connections_.push_back({each,
                            kept ? old->counts : std::make_shared<ConnectionZone>(each.size.bytes),
                            old ? old->counters : std::make_shared<LimitCounters>()});
  }
}

// A request that one of several limits refuses counts in none of them.
RateVerdict LimitZones::admit(const std::vector<conf::RateLimitSettings>& limits,
                              const KeyOf& key_of, MonotonicTime now) const {
  std::vector<Asked> asked;
  asked.reserve(limits.size());
  for (const conf::RateLimitSettings& limit : limits) {
    const Rate* zone = find_zone(rates_, limit.zone);
    std::string key = zone ? key_of(zone->settings.key) : std::string();
    if (!key.empty())
      asked.push_back({limit, *zone, std::move(key), zone->settings.rate.thousandths()});
  }
  RateVerdict verdict;
  const auto wait_for = [&verdict](const Asked& each, uint64_t excess) {
    const milliseconds delay = each.delay(excess);
    if (delay <= verdict.delay) return;
    verdict.zone = each.zone.settings.name;
    verdict.delay = delay;
    verdict.excess = excess;
  };
  for (const Asked& each : asked) {
    const bool last = &each == &asked.back();
    const uint64_t excess = last ? each.zone.buckets->take(each.key, each.rate, each.burst(), now)
                                 : each.zone.buckets->look(each.key, each.rate, now);
    if (excess > each.burst()) return each.refuse(excess);
    if (last) wait_for(each, excess);
  }
  for (size_t i = 0; i + 1 < asked.size(); ++i) {
    constexpr uint64_t any = std::numeric_limits<uint64_t>::max();
    wait_for(asked[i], asked[i].zone.buckets->take(asked[i].key, asked[i].rate, any, now));
  }
  if (verdict.delay > milliseconds(0)) ++find_zone(rates_, verdict.zone)->counters->delayed;
  return verdict;
}

ConnectionVerdict LimitZones::enter(const std::vector<conf::ConnectionLimitSettings>& limits,
                                    const KeyOf& key_of) const {
  ConnectionVerdict verdict;
  for (const conf::ConnectionLimitSettings& limit : limits) {
    const Connections* zone = find_zone(connections_, limit.zone);
    std::string key = zone ? key_of(zone->settings.key) : std::string();
    if (key.empty()) continue;
    if (!zone->counts->enter(key, limit.most)) {
      ++zone->counters->refused;
      return {.full_zone = zone->settings.name};
    }
    verdict.places.emplace_back(zone->counts, std::move(key));
  }
  return verdict;
}

}  // namespace usher::proxy
