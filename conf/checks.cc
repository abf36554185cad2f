#include "conf/checks.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "conf/checker.h"

namespace usher::conf {
namespace {

constexpr size_t shortest_secret = 16;
constexpr unsigned longest_map_chain = 100;

std::string too_short() {
  return "a secret this short can be guessed: take at least " + std::to_string(shortest_secret) +
         " characters";
}

bool is_of_all(const Endpoint& address) {
  return address.unix_path.empty() &&
         (address.host.empty() || address.host == "0.0.0.0" || address.host == "::");
}

bool is_of_this_host(const Endpoint& address) {
  return !address.unix_path.empty() || address.host == "localhost" || address.host == "::1" ||
         (address.host.starts_with("127.") && is_digit(address.host.back()));
}

}  // namespace

void Checker::run() {
  listeners();
  tls();
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

void Checker::listeners() {
  std::map<std::string, Position> seen;
  for (const auto& listen : settings_.listen) {
    if (places_.doubts(listen)) continue;
    const Position at = places_.of(listen.address, listen);
    if (listen.tls && listen.redirect_to_https) {
      problems_.error(places_.of(listen.redirect_to_https, listen),
                      "this listener speaks https itself: it cannot redirect to https");
    }
    if (listen.proxy_protocol && settings_.forwarded.trusted.empty() && listen.trusted.empty() &&
        listen.address.unix_path.empty()) {
      problems_.error(places_.of(listen.proxy_protocol, listen),
                      "neither trusted nor forwarded.trusted names a balancer that may speak the "
                      "PROXY protocol");
    }
    const std::string address = to_string(listen.address);
    const bool chosen_by_kernel = listen.address.unix_path.empty() && listen.address.port == 0;
    const auto [first, fresh] = seen.emplace(address, at);
    if (!fresh && !chosen_by_kernel) {
      problems_.error(at, "two listeners on " + in_quotes(address) + first_one(first->second));
    }
  }

  admin(seen);
  trust();
}

void Checker::admin(const std::map<std::string, Position>& listeners) {
  const auto& admin = settings_.admin;
  const auto taken = admin.address ? listeners.find(to_string(*admin.address)) : listeners.end();
  if (taken != listeners.end() && (admin.address->port != 0 || !admin.address->unix_path.empty())) {
    const Position at = places_.of(admin.address);
    problems_.error(at.line > 0 ? at : taken->second,
                    "a listener and the admin API are both on " + in_quotes(taken->first));
  }
  if (!admin.token_file.empty() && places_.of(admin.token).line > 0) {
    problems_.error(places_.of(admin.token_file, admin),
                    "admin.token and admin.token_file are two ways to say one thing");
  }
  if (!admin.token.empty() && admin.token.size() < shortest_secret)
    problems_.warning(places_.of(admin.token), too_short());
  const bool any_token = !admin.token.empty() || !admin.token_file.empty();
  if (!admin.address || any_token || is_of_this_host(*admin.address)) return;
  problems_.warning(places_.of(admin.address),
                    "the admin API listens on " +
                        std::string(is_of_all(*admin.address) ? "all addresses" : "the network") +
                        " without admin.token: anybody reads /metrics, and only this host may use "
                        "/api/");
}

// Whoever is trusted says who the client is: of everybody, any client is whoever it likes.
template <typename Owner>
void Checker::trust(const std::vector<Cidr>& networks, const Owner& owner, const char* key) {
  for (const Cidr& network : networks) {
    if (network.bits > 0 || network.address.empty()) continue;
    problems_.warning(places_.of(network, owner),
                      std::string(key) + " has " + in_quotes(to_string(network)) +
                          ": any client may say that it is another one");
  }
}

void Checker::trust() {
  trust(settings_.forwarded.trusted, settings_.forwarded, "forwarded.trusted");
  for (const ListenSettings& listen : settings_.listen)
    trust(listen.trusted, listen, "listen.trusted");
  for (const RouteSettings& route : settings_.routes) {
    const TrustSettings& own = route.forwarded;
    trust(own.trusted, own, "route.forwarded.trusted");
    if (own.nobody && !own.trusted.empty()) {
      problems_.error(places_.of(own.nobody, own), "route.forwarded trusts somebody, and nobody");
    }
    if (!own.given() && own != TrustSettings())
      problems_.error(places_.of(own, route), "route.forwarded needs trusted");
  }
}

void Checker::tls() {
  const TlsSettings& common = settings_.tls;
  const bool asks = common.client_certificate != "none";
  if (asks && common.client_ca.empty() && common.trusted_ca.empty()) {
    problems_.error(places_.of(common.client_certificate),
                    "clients are asked for certificates, and tls.client_ca does not say whose");
  }
  if (!asks && !common.client_ca.empty()) {
    problems_.warning(places_.of(common.client_ca),
                      "tls.client_certificate is \"none\": this file is not used");
  }
  if (common.session_tickets && common.session_cache > 0) {
    problems_.warning(places_.of(common.session_cache),
                      "sessions are resumed by tickets (tls.session_tickets): none is kept here");
  }
  const bool spoken = std::any_of(settings_.listen.begin(), settings_.listen.end(),
                                  [](const ListenSettings& each) { return each.tls; });
  for (const auto& certificate : common.certificates) {
    if (spoken) break;
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

void Checker::store() {
  const auto& store = settings_.store;
  if (!store.url_file.empty() && places_.of(store.url).line > 0) {
    problems_.error(places_.of(store.url_file),
                    "store.url and store.url_file both say where the store is");
  }
  if (store.cert.empty() != store.key.empty()) {
    const auto& lonely = store.cert.empty() ? store.key : store.cert;
    problems_.error(places_.of(lonely), "store.cert and store.key belong together");
  }
  if (store.url.tls || !store.url_file.empty()) return;
  for (const auto* file : {&store.ca, &store.cert, &store.key}) {
    if (file->empty()) continue;
    problems_.warning(places_.of(*file), "store.url speaks no TLS: this file is not used");
  }
}

void Checker::secret() {
  const auto& text = settings_.affinity.secret;
  const auto& file = settings_.affinity.secret_file;
  if (!file.empty() && places_.of(text).line > 0) {
    problems_.error(places_.of(file),
                    "affinity.secret and affinity.secret_file both say what the secret is");
  }
  if (text.empty() || text.size() >= shortest_secret) return;
  problems_.warning(places_.of(text), too_short());
}

void check(const Settings& settings, const Places& places, Problems& problems) {
  Checker(settings, places, problems).run();
}

}  // namespace usher::conf
