#include "conf/nginx/limits.h"

#include <algorithm>

#include "base/strings.h"
#include "conf/keys.h"
#include "conf/limits.h"
#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

constexpr uint16_t usual_status = 503;
constexpr uint64_t smallest_zone = 32 * 1024;
constexpr uint64_t largest_zone = uint64_t{1} << 30;
constexpr uint32_t most_connections = 65'535;
// What a page of Open WebUI asks for at once, when the browser has nothing of it.
constexpr uint32_t files_of_a_page = 50;

}  // namespace

void Limits::declare(const Directive& directive) {
  Zone zone;
  if (!read_zone(directive, zone)) return;
  const bool of_rate = directive.name == "limit_req_zone";
  const bool fresh = !rate_zones_.contains(zone.name) && !connection_zones_.contains(zone.name);
  if (!fresh) {
    return report_.error(directive.at, in_quotes(directive.name) + ": the zone " +
                                           in_quotes(zone.name) + " is declared twice");
  }
  (of_rate ? rate_zones_ : connection_zones_).insert(zone.name);
  Template key = maps_.read(directive.args.front(), directive.at);
  zone.size.bytes = std::min(zone.size.bytes, largest_zone);
  if (of_rate) {
    settings_.rate_zones.push_back({zone.name, std::move(key), zone.rate, zone.size});
  } else {
    settings_.connection_zones.push_back({zone.name, std::move(key), zone.size});
  }
}

// "zone=name:10m rate=10r/s", behind the key.
bool Limits::read_zone(const Directive& directive, Zone& zone) {
  const auto bad = [&](const std::string& text) {
    report_.error(directive.at, text);
    return false;
  };
  for (size_t i = 1; i < directive.args.size(); ++i) {
    const std::string& word = directive.args[i];
    const auto [name, value] = cut(word, '=');
    if (name == "zone" && value) {
      const auto [zone_name, size_text] = cut(*value, ':');
      const auto size = parse_size(size_text.value_or(""));
      if (!size) return bad("invalid zone size " + in_quotes(*value));
      if (*size < smallest_zone) return bad("zone " + in_quotes(*value) + " is too small");
      const Rule& rule = rule_of(&RateZoneSettings::name);
      if (rule.check(zone_name) || zone_name.size() > rule.max)
        return bad("invalid zone name " + in_quotes(zone_name));
      zone.name = zone_name;
      zone.size.bytes = *size;
    } else if (name == "rate" && value && directive.name == "limit_req_zone") {
      const auto rate = parse_rate(*value);
      if (!rate) return bad("invalid rate " + in_quotes(word));
      zone.rate = *rate;
    } else {
      return bad("invalid parameter " + in_quotes(word));
    }
  }
  return !zone.name.empty() || bad(in_quotes(directive.name) + " must have \"zone\" parameter");
}

void Limits::take(const Scope& scope, RouteSettings& route) {
  take_rates(scope, route);
  take_connections(scope, route);
}

void Limits::take_rates(const Scope& scope, RouteSettings& route) {
  for (const Directive* directive : scope.all("limit_req")) {
    RateLimitSettings limit;
    if (!read_limit(*directive, limit) || !known(limit.zone, rate_zones_, *directive)) continue;
    const bool twice =
        std::any_of(route.rate_limits.begin(), route.rate_limits.end(),
                    [&](const RateLimitSettings& other) { return other.zone == limit.zone; });
    if (twice) {
      report_.error(directive->at, "limit_req " + in_quotes(limit.zone) + " is duplicate");
      continue;
    }
    route.rate_limits.push_back(limit);
    if (limit.burst < files_of_a_page) warn_of_small_bursts(*directive, route);
  }
  if (!route.rate_limits.empty()) route.rate_limit_status = status(scope, "limit_req_status");
}

// "zone=name burst=20 nodelay".
bool Limits::read_limit(const Directive& directive, RateLimitSettings& limit) {
  const auto bad = [&](const std::string& text) {
    report_.error(directive.at, text);
    return false;
  };
  for (const std::string& word : directive.args) {
    const auto [name, value] = cut(word, '=');
    const auto number = parse_decimal<uint32_t>(value.value_or("")).value_or(0);
    if (name == "zone" && value) {
      limit.zone = *value;
    } else if (name == "burst" && value) {
      if (number == 0) return bad("invalid burst value " + in_quotes(word));
      limit.burst = number;
    } else if (name == "delay" && value) {
      if (number == 0) return bad("invalid delay value " + in_quotes(word));
      limit.delay = number;
      limit.nodelay = false;
    } else if (word == "nodelay") {
      limit.nodelay = true;
      limit.delay = 0;
    } else {
      return bad("invalid parameter " + in_quotes(word));
    }
  }
  return !limit.zone.empty() || bad("\"limit_req\" must have \"zone\" parameter");
}

void Limits::take_connections(const Scope& scope, RouteSettings& route) {
  for (const Directive* directive : scope.all("limit_conn")) {
    const std::string& name = directive->args[0];
    const auto most = parse_decimal<uint32_t>(directive->args[1]);
    if (!most || *most == 0 || *most > most_connections) {
      report_.error(directive->at,
                    "invalid number of connections " + in_quotes(directive->args[1]));
      continue;
    }
    if (!known(name, connection_zones_, *directive)) continue;
    const bool twice =
        std::any_of(route.connection_limits.begin(), route.connection_limits.end(),
                    [&](const ConnectionLimitSettings& other) { return other.zone == name; });
    if (twice) {
      report_.error(directive->at, "limit_conn " + in_quotes(name) + " is duplicate");
      continue;
    }
    route.connection_limits.push_back({name, *most});
  }
  if (!route.connection_limits.empty())
    route.connection_limit_status = status(scope, "limit_conn_status");
}

uint16_t Limits::status(const Scope& scope, const char* name) {
  const Directive* directive = scope.find(name);
  if (!directive) return usual_status;
  const auto given = parse_decimal<uint16_t>(directive->args.front());
  if (given && *given >= 400 && *given <= 599) return *given;
  report_.error(directive->at, in_quotes(name) + ": value must be between 400 and 599");
  return usual_status;
}

bool Limits::known(const std::string& name, const std::set<std::string>& zones,
                   const Directive& at) {
  if (zones.contains(name)) return true;
  report_.error(at.at, in_quotes(at.name) + ": no zone " + in_quotes(name) + " is declared");
  return false;
}

void Limits::warn_of_small_bursts(const Directive& limit, const RouteSettings& route) {
  constexpr std::string_view of_pages[] = {"/", "/_app/", "/static/"};
  if (std::find(std::begin(of_pages), std::end(of_pages), route.path) == std::end(of_pages)) return;
  report_.warning(
      limit.at, "\"limit_req\" on Open WebUI's page and files: a first visit asks for more than " +
                    std::to_string(files_of_a_page) +
                    " at once, and breaks where they are beyond \"burst\"; limit /api/ instead");
}

}  // namespace usher::conf::nginx
