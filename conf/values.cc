#include "conf/values.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/strings.h"
#include "conf/cookie_flags.h"
#include "conf/endpoint.h"
#include "conf/limits.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};
constexpr Unit time_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
constexpr Unit size_units[] = {{"B", 1},
                               {"KiB", uint64_t{1} << 10},
                               {"MiB", uint64_t{1} << 20},
                               {"GiB", uint64_t{1} << 30},
                               {"TiB", uint64_t{1} << 40}};

constexpr std::string_view duration_form = R"(a duration such as "250ms")";
constexpr std::string_view size_form = R"(a size such as "64KiB")";
// What every duration and size has to fit into, bounds or not.
constexpr uint64_t most_millis = std::numeric_limits<int64_t>::max() / 1'000'000;

struct Measure {
  std::optional<uint64_t> value;
  bool unit_missing = false;
};

Measure measure(std::string_view text, std::span<const Unit> units, uint64_t most) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_decimal<uint64_t>(text.substr(0, digits));
  if (!number) return {};
  const auto unit_name = text.substr(digits);
  if (unit_name.empty()) return {std::nullopt, true};
  for (const auto& unit : units) {
    if (unit.name != unit_name) continue;
    if (*number > most / unit.factor) return {most, false};
    return {*number * unit.factor, false};
  }
  return {};
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

template <typename Int>
uint64_t most_of(const Rule& rule) {
  return std::min<uint64_t>(rule.max, std::numeric_limits<Int>::max());
}

template <typename Int>
std::string expected_number(const Rule& rule) {
  return "a whole number from " + std::to_string(rule.min) + " to " +
         std::to_string(most_of<Int>(rule));
}

template <typename Int>
Outcome assign_number(std::string_view text, Int& value, const Rule& rule) {
  const auto number = parse_decimal<Int>(text);
  if (!number || *number < rule.min || *number > most_of<Int>(rule)) {
    return unexpected(expected_number<Int>(rule), in_quotes(text));
  }
  value = *number;
  return {};
}

template <Enum Value>
std::vector<std::string_view> words_of() {
  std::vector<std::string_view> words;
  for (const auto& named : names_of<Value>())
    words.push_back(named.name);
  return words;
}

template <Enum Value>
Outcome assign_name(std::string_view text, Value& value) {
  for (const auto& named : names_of<Value>()) {
    if (named.name != text) continue;
    value = named.value;
    return {};
  }
  const auto words = words_of<Value>();
  return unexpected(any_of(words), in_quotes(text) + did_you_mean(text, words));
}

template <typename T>
Outcome take(Result<T> parsed, T& value) {
  if (!parsed) return std::move(parsed).error();
  value = *std::move(parsed);
  return {};
}

}  // namespace

Outcome assign(std::string_view text, Millis& value, const Rule& rule) {
  const auto [millis, unit_missing] = measure(text, time_units, most_millis);
  if (unit_missing) return unexpected(duration_form, in_quotes(text) + ", which has no unit");
  if (!millis) return unexpected(duration_form, in_quotes(text));
  if (*millis < rule.min || *millis > std::min(rule.max, most_millis)) {
    return unexpected(allowed(value, rule), in_quotes(text));
  }
  value = Millis(static_cast<int64_t>(*millis));
  return {};
}

Outcome assign(std::string_view text, Size& value, const Rule& rule) {
  constexpr uint64_t most = std::numeric_limits<int64_t>::max();
  auto [bytes, unit_missing] = measure(text, size_units, most);
  // Nothing is nothing in every unit.
  if (text == "0") bytes = 0;
  if (unit_missing && !bytes) return unexpected(size_form, in_quotes(text) + ", which has no unit");
  if (!bytes) return unexpected(size_form, in_quotes(text));
  if (*bytes < rule.min || *bytes > rule.max) {
    return unexpected(allowed(value, rule), in_quotes(text));
  }
  value.bytes = *bytes;
  return {};
}

Outcome assign(std::string_view text, uint16_t& value, const Rule& rule) {
  return assign_number(text, value, rule);
}

Outcome assign(std::string_view text, uint32_t& value, const Rule& rule) {
  return assign_number(text, value, rule);
}

Outcome assign(std::string_view text, std::string& value, const Rule& rule) {
  if (!rule.choices.empty() &&
      std::find(rule.choices.begin(), rule.choices.end(), text) == rule.choices.end()) {
    return unexpected(expected(value, rule), in_quotes(text) + did_you_mean(text, rule.choices));
  }
  if (rule.check) {
    if (const char* wanted = rule.check(text)) return unexpected(wanted, in_quotes(text));
  }
  if (text.size() > rule.max) {
    return unexpected("at most " + std::to_string(rule.max) + " bytes",
                      std::to_string(text.size()) + " of them");
  }
  if (has_control_characters(text)) {
    return unexpected("a text without control characters", in_quotes(text));
  }
  value = text;
  return {};
}

Outcome assign(std::string_view text, Endpoint& value, const Rule&) {
  return take(parse_listen_endpoint(text), value);
}

Outcome assign(std::string_view text, std::optional<Endpoint>& value, const Rule& rule) {
  if (text.empty()) {
    value.reset();
    return {};
  }
  return assign(text, value.emplace(), rule);
}

Outcome assign(std::string_view text, ReplicaSettings& value, const Rule&) {
  return take(parse_replica(text), value);
}

Outcome assign(std::string_view text, StoreUrl& value, const Rule&) {
  return take(parse_store_url(text), value);
}

Outcome assign(std::string_view text, Cidr& value, const Rule&) {
  return take(parse_cidr(text), value);
}

Outcome assign(std::string_view text, Rate& value, const Rule&) {
  return take(parse_rate(text), value);
}

Outcome assign(std::string_view text, RateLimitSettings& value, const Rule&) {
  return take(parse_rate_limit(text), value);
}

Outcome assign(std::string_view text, ConnectionLimitSettings& value, const Rule&) {
  return take(parse_connection_limit(text), value);
}

Outcome assign(std::string_view text, Template& value, const Rule& rule) {
  if (rule.check) {
    if (const char* wanted = rule.check(text)) return unexpected(wanted, in_quotes(text));
  }
  return take(parse_template(text), value);
}

Outcome assign(std::string_view text, Pattern& value, const Rule& rule) {
  if (rule.check) {
    if (const char* wanted = rule.check(text)) return unexpected(wanted, in_quotes(text));
  }
  return take(parse_pattern(text), value);
}

Outcome assign(std::string_view text, CookieFlags& value, const Rule&) {
  return take(parse_cookie_flags(text), value);
}

Outcome assign(std::string_view text, PathMatch& value, const Rule&) {
  return assign_name(text, value);
}
Outcome assign(std::string_view text, OddHeaders& value, const Rule&) {
  return assign_name(text, value);
}
Outcome assign(std::string_view text, Satisfy& value, const Rule&) {
  return assign_name(text, value);
}

Outcome assign(std::string_view text, Balance& value, const Rule&) {
  return assign_name(text, value);
}

Outcome assign(std::string_view text, LogLevelName& value, const Rule&) {
  return assign_name(text, value);
}

std::string expected(const bool&, const Rule&) { return "true or false"; }

std::string expected(const Millis&, const Rule&) { return std::string(duration_form); }

std::string expected(const Size&, const Rule&) { return std::string(size_form); }

std::string expected(const uint16_t&, const Rule& rule) { return expected_number<uint16_t>(rule); }

std::string expected(const uint32_t&, const Rule& rule) { return expected_number<uint32_t>(rule); }

std::string expected(const std::string&, const Rule& rule) {
  if (!rule.choices.empty()) return any_of(rule.choices);
  return "a text in quotes";
}

std::string expected(const Endpoint&, const Rule&) {
  return R"(an address such as "127.0.0.1:8080")";
}

std::string expected(const std::optional<Endpoint>&, const Rule& rule) {
  return expected(Endpoint{}, rule);
}

std::string expected(const ReplicaSettings&, const Rule&) {
  return R"(an address such as "open-webui:8080")";
}

std::string expected(const StoreUrl&, const Rule&) {
  return R"(a URL such as "redis://redis:6379/1")";
}

std::string expected(const Cidr&, const Rule&) { return R"(a network such as "10.0.0.0/8")"; }

std::string expected(const Rate&, const Rule&) { return R"(a rate such as "10r/s")"; }

std::string expected(const RateLimitSettings&, const Rule&) {
  return R"(a zone's name such as "api burst=20")";
}

std::string expected(const ConnectionLimitSettings&, const Rule&) {
  return R"(a zone's name and a number such as "per_address 10")";
}

std::string expected(const Template&, const Rule&) { return "a text in quotes"; }
std::string expected(const Pattern&, const Rule&) { return "a text in quotes"; }
std::string expected(const CookieFlags&, const Rule&) { return std::string(cookie_flags_form); }

std::string expected(const PathMatch&, const Rule&) { return any_of(words_of<PathMatch>()); }
std::string expected(const OddHeaders&, const Rule&) { return any_of(words_of<OddHeaders>()); }
std::string expected(const Satisfy&, const Rule&) { return any_of(words_of<Satisfy>()); }

std::string expected(const Balance&, const Rule&) { return any_of(words_of<Balance>()); }

std::string expected(const LogLevelName&, const Rule&) { return any_of(words_of<LogLevelName>()); }

std::string allowed(const Millis&, const Rule& rule) {
  const auto in_words = [](uint64_t millis) {
    return in_quotes(format_millis(Millis(static_cast<int64_t>(std::min(millis, most_millis)))));
  };
  return "a duration from " + in_words(rule.min) + " to " + in_words(rule.max);
}

std::string allowed(const Size&, const Rule& rule) {
  const uint64_t most = std::numeric_limits<int64_t>::max();
  if (rule.max > most) return std::string(size_form);
  return "a size from " + in_quotes(format_size({rule.min})) + " to " +
         in_quotes(format_size({rule.max}));
}

std::string format_millis(Millis value) {
  const auto millis = static_cast<uint64_t>(value.count());
  const Unit* unit = std::begin(time_units);
  for (const auto& candidate : time_units) {
    // One minute reads better as "60s", and so it is found in every other proxy's file.
    const bool long_enough = candidate.name == "m" ? millis > candidate.factor : true;
    if (millis >= candidate.factor && millis % candidate.factor == 0 && long_enough) {
      unit = &candidate;
    }
  }
  return std::to_string(millis / unit->factor) + std::string(unit->name);
}

std::string format_size(Size value) {
  if (value.bytes == 0) return "0";
  const Unit* unit = std::begin(size_units);
  for (const auto& candidate : size_units) {
    if (value.bytes % candidate.factor == 0) unit = &candidate;
  }
  return std::to_string(value.bytes / unit->factor) + std::string(unit->name);
}

}  // namespace usher::conf
