#include "conf/checks.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/regex.h"
#include "base/strings.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

constexpr size_t shortest_secret = 16;
constexpr unsigned longest_map_chain = 100;

class Checker final {
 public:
  Checker(const Settings& settings, const Places& places, Problems& problems)
      : settings_(settings), places_(places), problems_(problems) {}

  void run() {
    listeners();
    upstreams();
    maps();
    zones(settings_.rate_zones, "[[rate_zone]]", &RouteSettings::rate_limits);
    zones(settings_.connection_zones, "[[connection_zone]]", &RouteSettings::connection_limits);
    logs();
    types();
    routes();
    store();
    secret();
  }

 private:
  void listeners();
  void upstreams();
  void maps();
  void logs();
  void known_logs(const RouteSettings& route);
  void map_entries(const MapSettings& map);
  unsigned map_chain(const MapSettings& map, unsigned depth);
  template <typename Zone, typename Limit>
  void zones(const std::vector<Zone>& all, const char* header,
             std::vector<Limit> RouteSettings::*limits);
  void routes();
  bool one_action(const RouteSettings& route);
  void path(const RouteSettings& route);
  template <typename Owner, typename Value>
  std::optional<Regex> expression(const Owner& owner, const Value& value, std::string_view pattern,
                                  bool ignoring_case);
  void variables(const RouteSettings& route, const std::vector<Regex>& expressions);
  void rewrites(const std::vector<RewriteSettings>& rules, const std::vector<Regex>& of_route);
  template <typename Owner>
  void known_variables(const Template& value, const Owner& owner,
                       const std::vector<Regex>& expressions);
  void what_needs_an_upstream(const RouteSettings& route);
  void types();
  void files(const RouteSettings& route);
  void tried(const RouteSettings& route);
  static bool is_named(const RouteSettings& route) { return route.match == PathMatch::named; }
  void access(const RouteSettings& route);
  void known_upstream(const RouteSettings& route, const std::vector<std::string_view>& names);
  void store();
  void secret();
  // "; the first is on line 7", when it is in the file.
  static std::string first_one(Position at) {
    return at.line > 0 ? "; the first is on line " + std::to_string(at.line) : std::string();
  }

  // What may not be there twice: of prefixes the words differ, not the place.
  static int kind_of(PathMatch match) {
    if (match == PathMatch::segments || match == PathMatch::prefix_first) match = PathMatch::prefix;
    return static_cast<int>(match);
  }

  const Settings& settings_;
  const Places& places_;
  Problems& problems_;
  std::set<std::string> host_names_;
  std::set<std::string_view> logs_{main_access_log};
  std::map<std::string_view, const MapSettings*> maps_;
  std::map<const MapSettings*, unsigned> map_chains_;  // 0: being followed
};

void Checker::listeners() {
  std::map<std::string, Position> seen;
  bool tls = false;
  for (const auto& listen : settings_.listen) {
    if (places_.doubts(listen)) continue;
    const Position at = places_.of(listen.address, listen);
    tls = tls || listen.tls;
    if (listen.tls && listen.redirect_to_https) {
      problems_.error(places_.of(listen.redirect_to_https, listen),
                      "this listener speaks https itself: it cannot redirect to https");
    }
    if (listen.proxy_protocol && settings_.forwarded.trusted.empty() &&
        listen.address.unix_path.empty()) {
      problems_.error(places_.of(listen.proxy_protocol, listen),
                      "forwarded.trusted names no balancer that may speak the PROXY protocol");
    }
    const std::string address = to_string(listen.address);
    const bool chosen_by_kernel = listen.address.unix_path.empty() && listen.address.port == 0;
    const auto [first, fresh] = seen.emplace(address, at);
    if (!fresh && !chosen_by_kernel) {
      problems_.error(at, "two listeners on " + in_quotes(address) + first_one(first->second));
    }
  }

  const auto& admin = settings_.admin;
  const auto taken = seen.find(to_string(admin.address));
  if (admin.enabled && taken != seen.end() &&
      (admin.address.port != 0 || !admin.address.unix_path.empty())) {
    const Position at = places_.of(admin.address);
    problems_.error(at.line > 0 ? at : taken->second,
                    "a listener and the admin API are both on " + in_quotes(taken->first));
  }
  const auto& client_ca = settings_.tls.client_ca;
  const bool asks = settings_.tls.client_certificate != "none";
  if (asks && client_ca.empty()) {
    problems_.error(places_.of(settings_.tls.client_certificate),
                    "clients are asked for certificates, and tls.client_ca does not say whose");
  }
  if (!asks && !client_ca.empty()) {
    problems_.warning(places_.of(client_ca),
                      "tls.client_certificate is \"none\": this file is not used");
  }
  for (const auto& certificate : settings_.tls.certificates) {
    if (tls) break;
    problems_.warning(places_.of(certificate),
                      "no listener speaks TLS: this certificate is not used");
  }
}

void Checker::upstreams() {
  std::map<std::string_view, Position> seen;
  for (const auto& upstream : settings_.upstreams) {
    if (places_.doubts(upstream)) continue;
    const Position at = places_.of(upstream.name, upstream);
    const auto [first, fresh] = seen.emplace(upstream.name, at);
    if (!fresh) {
      problems_.error(
          at, "two upstreams are named " + in_quotes(upstream.name) + first_one(first->second));
    }
    std::set<std::string> replicas;
    for (const auto& replica : upstream.replicas) {
      const std::string address = to_string(replica.address);
      if (replicas.insert(address).second) continue;
      problems_.error(places_.of(replica, upstream),
                      "the replica " + in_quotes(address) + " is listed twice");
    }
    const bool used =
        std::any_of(settings_.routes.begin(), settings_.routes.end(),
                    [&](const RouteSettings& route) { return route.upstream == upstream.name; });
    if (!used && fresh) {
      problems_.warning(at, "no route leads to the upstream " + in_quotes(upstream.name));
    }
  }
}

template <typename Zone, typename Limit>
void Checker::zones(const std::vector<Zone>& all, const char* header,
                    std::vector<Limit> RouteSettings::*limits) {
  bool all_known = !places_.doubts(settings_);
  std::set<std::string_view> used;
  for (const RouteSettings& route : settings_.routes) {
    for (const Limit& limit : route.*limits)
      used.insert(limit.zone);
  }
  std::vector<std::string_view> names;
  for (const Zone& zone : all) {
    all_known = all_known && !places_.doubts(zone);
    if (places_.doubts(zone)) continue;
    const Position at = places_.of(zone.name, zone);
    if (std::find(names.begin(), names.end(), zone.name) != names.end())
      problems_.error(at, std::string("two ") + header + " are named " + in_quotes(zone.name));
    names.push_back(zone.name);
    known_variables(zone.key, zone, {});
    if (!used.contains(zone.name))
      problems_.warning(at, "no route is limited by the zone " + in_quotes(zone.name));
  }
  for (const RouteSettings& route : settings_.routes) {
    if (places_.doubts(route) || !all_known) continue;
    for (const Limit& limit : route.*limits) {
      if (std::find(names.begin(), names.end(), limit.zone) != names.end()) continue;
      problems_.error(places_.of(limit, route), std::string("no ") + header + " is named " +
                                                    in_quotes(limit.zone) +
                                                    did_you_mean(limit.zone, names));
    }
  }
}

void Checker::routes() {
  bool all_upstreams_known = !places_.doubts(settings_);
  std::vector<std::string_view> names;
  for (const auto& upstream : settings_.upstreams) {
    names.push_back(upstream.name);
    all_upstreams_known = all_upstreams_known && !places_.doubts(upstream);
  }

  using Place = std::tuple<std::string_view, std::string_view, int, uint16_t>;
  std::map<Place, Position> seen;
  for (const auto& route : settings_.routes) {
    if (places_.doubts(route)) continue;
    const Position at = places_.of(route);
    for (const std::string& host : route.hosts.empty() ? std::vector{route.host} : route.hosts) {
      for (const uint16_t port : route.ports.empty() ? std::vector<uint16_t>{0} : route.ports) {
        const auto [first, fresh] = seen.emplace(
            Place(*host_names_.insert(host).first, route.path, kind_of(route.match), port), at);
        if (fresh) continue;
        problems_.error(at, "two routes for host " + in_quotes(host) + " and path " +
                                in_quotes(route.path) + first_one(first->second));
      }
    }
    if (one_action(route) && all_upstreams_known) known_upstream(route, names);
    path(route);
    known_logs(route);
    what_needs_an_upstream(route);
    files(route);
    access(route);
  }
}

void Checker::files(const RouteSettings& route) {
  if (!route.replace_path.empty() && route.upstream.empty()) {
    problems_.error(places_.of(route.replace_path, route),
                    "replace_path is for a replica; the files of a folder have alias");
  }
  if (!route.alias.empty() && is_named(route)) {
    problems_.error(places_.of(route.alias, route),
                    "a named route has no path that alias replaces");
  }
  const auto known = std::find_if(settings_.types.begin(), settings_.types.end(),
                                  [&](const auto& each) { return each.name == route.types; });
  if (!route.types.empty() && known == settings_.types.end()) {
    problems_.error(places_.of(route.types, route),
                    "no [[types]] is named " + in_quotes(route.types));
  }
  if (route.try_files.empty()) return;
  if (route.root.empty() && route.alias.empty()) {
    problems_.warning(places_.of(route.try_files, route),
                      "try_files is for files, and this route has neither root nor alias");
  }
  tried(route);
}

void Checker::tried(const RouteSettings& route) {
  if (route.try_files.size() == 1) {
    problems_.error(places_.of(route.try_files, route),
                    "try_files has at least one file, and what is done without it");
  }
  const Template& last = route.try_files.back();
  for (const Template& each : route.try_files) {
    if (&each == &last || (!each.source.starts_with('=') && !each.source.starts_with('@')))
      continue;
    problems_.error(places_.of(each, route),
                    in_quotes(each.source) + " can only be the last of try_files");
  }
  if (!last.source.starts_with('@')) return;
  const bool there =
      std::any_of(settings_.routes.begin(), settings_.routes.end(),
                  [&](const auto& other) { return is_named(other) && other.path == last.source; });
  if (!there)
    problems_.error(places_.of(last, route), "no route is named " + in_quotes(last.source));
}

void Checker::types() {
  std::map<std::string_view, Position> seen;
  for (const TypesSettings& each : settings_.types) {
    if (places_.doubts(each)) continue;
    const Position at = places_.of(each.name, each);
    const auto [first, fresh] = seen.emplace(each.name, at);
    if (fresh) continue;
    problems_.error(at,
                    "two [[types]] are named " + in_quotes(each.name) + first_one(first->second));
  }
}

void Checker::what_needs_an_upstream(const RouteSettings& route) {
  if (!route.upstream.empty()) return;
  if (route.timeouts != RouteTimeouts{}) {
    problems_.warning(places_.of(route.timeouts, route),
                      "these timeouts are those of an upstream, and this route has none");
  }
  if (!route.set_headers.empty()) {
    problems_.warning(places_.of(route.set_headers, route),
                      "set_headers is for a replica, and this route has no upstream");
  }
}

void Checker::access(const RouteSettings& route) {
  const BasicAuthSettings& passwords = route.basic_auth;
  if (passwords.realm.empty() != passwords.file.empty()) {
    problems_.error(places_.of(passwords, route),
                    "route.basic_auth needs both a realm and a file of passwords");
  }
  if (route.satisfy == Satisfy::any && route.basic_auth.file.empty()) {
    problems_.warning(places_.of(route.satisfy, route),
                      "satisfy = \"any\" is for routes with basic_auth, and this one has none");
  }
}

void Checker::path(const RouteSettings& route) {
  std::vector<Regex> expressions;
  const auto take = [&](std::optional<Regex> made) {
    if (made) expressions.push_back(*std::move(made));
  };
  const bool is_expression =
      route.match == PathMatch::regex || route.match == PathMatch::regex_ignoring_case;
  if (is_expression) {
    take(expression(route, route.path, route.path, route.match == PathMatch::regex_ignoring_case));
  } else if (is_named(route)) {
    if (!route.path.starts_with('@')) {
      problems_.error(places_.of(route.path, route), "the path of a named route is its \"@name\"");
    }
  } else if (!route.path.starts_with('/') || route.path.find_first_of("?#") != std::string::npos) {
    problems_.error(places_.of(route.path, route),
                    "route.path: expected a path that begins with \"/\", without \"?\" and \"#\", "
                    "got " +
                        in_quotes(route.path));
  }
  if (is_expression && !route.replace_path.empty()) {
    problems_.error(places_.of(route.replace_path, route),
                    "an expression has no length that replace_path could replace");
  }
  if (route.host.starts_with('~') && route.hosts.empty())
    take(expression(route, route.host, std::string_view(route.host).substr(1), true));
  for (const std::string& host : route.hosts) {
    if (host.starts_with('~'))
      take(expression(route, host, std::string_view(host).substr(1), true));
  }
  variables(route, expressions);
}

template <typename Owner, typename Value>
std::optional<Regex> Checker::expression(const Owner& owner, const Value& value,
                                         std::string_view pattern, bool ignoring_case) {
  auto made = Regex::compile(pattern, ignoring_case);
  if (made) return *std::move(made);
  problems_.error(places_.of(value, owner),
                  "the expression " + in_quotes(pattern) + ": " + made.error().detail);
  return std::nullopt;
}

// A variable that is none of usher's must be a map's or a group of one of these expressions.
template <typename Owner>
void Checker::known_variables(const Template& value, const Owner& owner,
                              const std::vector<Regex>& expressions) {
  for (const TemplatePart& part : value.parts) {
    if (part.variable != Variable::group || maps_.contains(part.text)) continue;
    const bool number = is_digit(part.text.front());
    const bool is_group =
        number ? !expressions.empty()
               : std::any_of(expressions.begin(), expressions.end(), [&](const Regex& regex) {
                   return regex.group(part.text).has_value();
                 });
    if (is_group) continue;
    auto names = variable_names();
    for (const auto& [name, map] : maps_)
      names.push_back(name);
    problems_.error(places_.of(value, owner),
                    "unknown variable " + in_quotes("$" + part.text) +
                        (number ? std::string("; only an expression has groups")
                                : did_you_mean(part.text, names)));
  }
}

void Checker::variables(const RouteSettings& route, const std::vector<Regex>& expressions) {
  known_variables(route.redirect, route, expressions);
  known_variables(route.body, route, expressions);
  known_variables(route.basic_auth.realm, route, expressions);
  rewrites(route.rewrite_location, expressions);
  rewrites(route.rewrite_cookie_domain, expressions);
  rewrites(route.rewrite_cookie_path, expressions);
  known_variables(route.root, route, expressions);
  known_variables(route.alias, route, expressions);
  for (const auto* texts : {&route.index, &route.try_files}) {
    for (const Template& each : *texts)
      known_variables(each, route, expressions);
  }
  for (const auto* headers :
       {&route.set_headers, &route.add_headers, &route.add_headers_on_success}) {
    for (const HeaderSetting& header : *headers)
      known_variables(header.value, route, expressions);
  }
}

void Checker::rewrites(const std::vector<RewriteSettings>& rules,
                       const std::vector<Regex>& of_route) {
  for (const RewriteSettings& rule : rules) {
    if (places_.doubts(rule)) continue;
    std::vector<Regex> expressions = of_route;
    if (rule.from.is_expression()) {
      auto made = expression(rule, rule.from, rule.from.expression(), rule.from.ignores_case());
      if (!made) continue;
      expressions.push_back(*std::move(made));
    }
    known_variables(rule.from.text, rule, of_route);
    known_variables(rule.to, rule, expressions);
  }
}

void Checker::maps() {
  for (const MapSettings& map : settings_.maps) {
    if (places_.doubts(map)) continue;
    const Position at = places_.of(map.name, map);
    if (is_variable(map.name)) {
      problems_.error(at, "the variable " + in_quotes("$" + map.name) + " is there already");
      continue;
    }
    const auto [first, fresh] = maps_.emplace(map.name, &map);
    if (fresh) continue;
    problems_.error(at, "two maps are named " + in_quotes(map.name) +
                            first_one(places_.of(first->second->name, *first->second)));
  }
  for (const auto& [name, map] : maps_) {
    map_entries(*map);
    if (map_chain(*map, 0) <= longest_map_chain) continue;
    problems_.error(places_.of(map->name, *map),
                    "the map " + in_quotes("$" + map->name) + " leads to too many others");
  }
}

void Checker::map_entries(const MapSettings& map) {
  known_variables(map.source, map, {});
  known_variables(map.otherwise, map, {});
  std::map<std::string, Position> seen;
  for (const MapEntry& entry : map.entries) {
    if (places_.doubts(entry)) continue;
    const std::string& match = entry.match;
    const Position at = places_.of(match, entry);
    std::vector<Regex> expressions;
    if (match.starts_with('~')) {
      const bool ignoring_case = match.starts_with("~*");
      auto made = expression(entry, match, std::string_view(match).substr(ignoring_case ? 2 : 1),
                             ignoring_case);
      if (!made) continue;
      expressions.push_back(*std::move(made));
    } else {
      const auto [first, fresh] = seen.emplace(to_lower(match), at);
      if (!fresh) {
        problems_.error(at, "two values for " + in_quotes(match) + first_one(first->second));
      }
    }
    known_variables(entry.value, entry, expressions);
  }
}

// A value that needs itself has none. Returns how many maps are asked for one value.
unsigned Checker::map_chain(const MapSettings& map, unsigned depth) {
  const auto [known, fresh] = map_chains_.emplace(&map, 0);
  if (!fresh && known->second > 0) return known->second;
  if (!fresh || depth >= longest_map_chain) {
    problems_.error(places_.of(map.name, map),
                    "the map " + in_quotes("$" + map.name) +
                        (fresh ? " is at the end of too many others" : " leads back to itself"));
    return known->second = 1;
  }
  unsigned longest = 0;
  const auto follow = [&](const Template& value) {
    for (const TemplatePart& part : value.parts) {
      const auto next = part.variable == Variable::group ? maps_.find(part.text) : maps_.end();
      if (next != maps_.end()) longest = std::max(longest, map_chain(*next->second, depth + 1));
    }
  };
  follow(map.source);
  follow(map.otherwise);
  for (const MapEntry& entry : map.entries)
    follow(entry.value);
  return map_chains_[&map] = longest + 1;
}

void Checker::logs() {
  const LogSettings& log = settings_.log;
  known_variables(log.format, log, {});
  known_variables(log.when, log, {});
  for (const AccessLogSettings& file : log.files) {
    if (places_.doubts(file)) {
      logs_.insert(file.name);
      continue;
    }
    if (!logs_.insert(file.name).second) {
      problems_.error(
          places_.of(file.name, file),
          "two access logs are named " + in_quotes(file.name) +
              (file.name == main_access_log ? "; this is the name of [log]'s own" : ""));
    }
    known_variables(file.format, file, {});
    known_variables(file.when, file, {});
  }
}

void Checker::known_logs(const RouteSettings& route) {
  for (const std::string& name : route.access_logs) {
    if (logs_.contains(name)) continue;
    const std::vector<std::string_view> names(logs_.begin(), logs_.end());
    problems_.error(places_.of(name, route),
                    "no access log is named " + in_quotes(name) + did_you_mean(name, names));
  }
}

bool Checker::one_action(const RouteSettings& route) {
  const int actions = (route.upstream.empty() ? 0 : 1) + (route.redirect.empty() ? 0 : 1) +
                      (route.status == 0 ? 0 : 1) + (route.root.empty() ? 0 : 1) +
                      (route.alias.empty() ? 0 : 1) + (route.stub_status ? 1 : 0);
  if (actions != 1) {
    problems_.error(places_.of(route),
                    std::string("a route has exactly one of upstream, redirect, ") +
                        "status, root, alias and stub_status; this one has " +
                        (actions == 0 ? "none" : std::to_string(actions)));
  }
  return actions == 1;
}

void Checker::known_upstream(const RouteSettings& route,
                             const std::vector<std::string_view>& names) {
  if (route.upstream.empty()) return;
  if (std::find(names.begin(), names.end(), route.upstream) != names.end()) return;
  const auto hint = did_you_mean(route.upstream, names);
  problems_.error(places_.of(route.upstream, route),
                  "no upstream is named " + in_quotes(route.upstream) +
                      (hint.empty() ? "; there is " + any_of(names) : hint));
}

void Checker::store() {
  const auto& store = settings_.store;
  if (store.cert.empty() != store.key.empty()) {
    const auto& lonely = store.cert.empty() ? store.key : store.cert;
    problems_.error(places_.of(lonely), "store.cert and store.key belong together");
  }
  if (store.url.tls) return;
  for (const auto* file : {&store.ca, &store.cert, &store.key}) {
    if (file->empty()) continue;
    problems_.warning(places_.of(*file), "store.url speaks no TLS: this file is not used");
  }
}

void Checker::secret() {
  const auto& text = settings_.affinity.secret;
  if (text.empty() || text.size() >= shortest_secret) return;
  problems_.warning(places_.of(text), "a secret this short can be guessed: take at least " +
                                          std::to_string(shortest_secret) + " characters");
}

}  // namespace

void check(const Settings& settings, const Places& places, Problems& problems) {
  Checker(settings, places, problems).run();
}

}  // namespace usher::conf
