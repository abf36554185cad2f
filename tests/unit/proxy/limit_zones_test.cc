#include "proxy/limit_zones.h"

#include <gtest/gtest.h>

#include "conf/limits.h"

namespace usher::proxy {
namespace {

using namespace std::chrono_literals;

const MonotonicTime start{1000h};

conf::Settings settings_with(std::vector<std::pair<std::string, std::string>> rates) {
  conf::Settings settings;
  for (const auto& [name, rate] : rates) {
    conf::RateZoneSettings& zone = settings.rate_zones.emplace_back();
    zone.name = name;
    zone.rate = *conf::parse_rate(rate);
  }
  conf::ConnectionZoneSettings& zone = settings.connection_zones.emplace_back();
  zone.name = "open";
  return settings;
}

std::vector<conf::RateLimitSettings> limits(const std::vector<std::string>& texts) {
  std::vector<conf::RateLimitSettings> made;
  for (const std::string& text : texts)
    made.push_back(*conf::parse_rate_limit(text));
  return made;
}

std::string one_client(const conf::Template&) { return "192.0.2.1"; }
std::string nobody(const conf::Template&) { return {}; }

TEST(LimitZones, DelaysWhatIsAheadAsNginxDoes) {
  const LimitZones zones(settings_with({{"a", "10r/s"}}), {});
  const auto burst = limits({"a burst=4"});
  for (int i = 0; i < 5; ++i) {
    const RateVerdict verdict = zones.admit(burst, one_client, start);
    EXPECT_FALSE(verdict.refused);
    EXPECT_EQ(verdict.delay, i * 100ms) << i;
  }
  const RateVerdict verdict = zones.admit(burst, one_client, start);
  EXPECT_TRUE(verdict.refused);
  EXPECT_EQ(verdict.zone, "a");
  EXPECT_EQ(verdict.excess, 5000U);
  EXPECT_EQ(verdict.again_after, 1s);
  EXPECT_EQ(zones.rates()[0].counters->delayed, 4U);
  EXPECT_EQ(zones.rates()[0].counters->refused, 1U);
}

TEST(LimitZones, LetsPartOfABurstGoAtOnce) {
  const LimitZones zones(settings_with({{"a", "10r/s"}, {"b", "10r/s"}}), {});
  std::vector<std::chrono::milliseconds> delays;
  for (int i = 0; i < 5; ++i)
    delays.push_back(zones.admit(limits({"a burst=4 delay=2"}), one_client, start).delay);
  EXPECT_EQ(delays, (std::vector<std::chrono::milliseconds>{0ms, 0ms, 0ms, 100ms, 200ms}));
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(zones.admit(limits({"b burst=4 nodelay"}), one_client, start).delay, 0ms);
  EXPECT_TRUE(zones.admit(limits({"b burst=4 nodelay"}), one_client, start).refused);
}

TEST(LimitZones, SaysWhenToComeAgain) {
  const LimitZones zones(settings_with({{"a", "2r/m"}}), {});
  EXPECT_FALSE(zones.admit(limits({"a"}), one_client, start).refused);
  EXPECT_EQ(zones.admit(limits({"a"}), one_client, start).again_after, 31s);
  EXPECT_EQ(zones.admit(limits({"a"}), one_client, start + 21s).again_after, 10s);
}

TEST(LimitZones, CountsInNoneOfSeveralWhatOneRefuses) {
  const LimitZones zones(settings_with({{"wide", "10r/s"}, {"narrow", "10r/s"}}), {});
  const auto both = limits({"wide burst=9", "narrow"});
  EXPECT_FALSE(zones.admit(both, one_client, start).refused);
  for (int i = 0; i < 20; ++i) {
    const RateVerdict verdict = zones.admit(both, one_client, start);
    EXPECT_TRUE(verdict.refused);
    EXPECT_EQ(verdict.zone, "narrow");
  }
  const RateVerdict verdict = zones.admit(limits({"wide burst=9"}), one_client, start);
  EXPECT_EQ(verdict.delay, 100ms) << "one before it, not 21";
}

TEST(LimitZones, WaitsForTheSlowestOfSeveral) {
  const LimitZones zones(settings_with({{"slow", "1r/s"}, {"fast", "100r/s"}}), {});
  const auto both = limits({"slow burst=9", "fast burst=9"});
  EXPECT_EQ(zones.admit(both, one_client, start).delay, 0ms);
  const RateVerdict verdict = zones.admit(both, one_client, start);
  EXPECT_EQ(verdict.delay, 1000ms);
  EXPECT_EQ(verdict.zone, "slow");
}

TEST(LimitZones, DoesNotCountWhoHasNoKey) {
  const LimitZones zones(settings_with({{"a", "1r/m"}}), {});
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(zones.admit(limits({"a"}), nobody, start).refused);
    EXPECT_TRUE(zones.enter({{"open", 1}}, nobody).places.empty());
  }
  EXPECT_EQ(zones.rates()[0].buckets->keys(), 0U);
}

TEST(LimitZones, GivesPlacesBackThatOneZoneHadAndAnotherHasNot) {
  conf::Settings settings = settings_with({});
  settings.connection_zones.push_back(settings.connection_zones[0]);
  settings.connection_zones[1].name = "narrow";
  const LimitZones zones(settings, {});
  const std::vector<conf::ConnectionLimitSettings> both{{"open", 2}, {"narrow", 1}};
  const ConnectionVerdict first = zones.enter(both, one_client);
  EXPECT_EQ(first.places.size(), 2U);
  EXPECT_EQ(zones.enter(both, one_client).full_zone, "narrow");
  EXPECT_EQ(zones.enter({{"open", 2}}, one_client).places.size(), 1U);
  EXPECT_EQ(zones.connections()[1].counters->refused, 1U);
}

TEST(LimitZones, OtherSettingsKeepWhatWasCounted) {
  const LimitZones before(settings_with({{"a", "1r/m"}, {"b", "1r/m"}}), {});
  const ConnectionVerdict held = before.enter({{"open", 1}}, one_client);
  EXPECT_FALSE(before.admit(limits({"a"}), one_client, start).refused);
  EXPECT_FALSE(before.admit(limits({"b"}), one_client, start).refused);

  conf::Settings settings = settings_with({{"a", "2r/m"}, {"b", "1r/m"}});
  settings.rate_zones[1].key = *conf::parse_template("$host");
  const LimitZones after(settings, before);
  EXPECT_TRUE(after.admit(limits({"a"}), one_client, start).refused) << "at its new rate";
  EXPECT_FALSE(after.admit(limits({"b"}), one_client, start).refused) << "of another key";
  EXPECT_EQ(after.enter({{"open", 1}}, one_client).full_zone, "open");
}

}  // namespace
}  // namespace usher::proxy
