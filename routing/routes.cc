#include "routing/routes.h"

#include <algorithm>
#include <tuple>

#include "base/strings.h"
#include "protocol/request_path.h"

namespace usher::routing {
namespace {

using conf::PathMatch;

std::string_view without_final_dot(std::string_view host) {
  return host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
}

// The host of "host", "host:port", "[v6]" or "[v6]:port"; brackets stay.
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    return end == std::string_view::npos ? authority : authority.substr(0, end + 1);
  }
  return without_final_dot(authority.substr(0, authority.rfind(':')));
}

bool begins_wild(std::string_view host) { return host.starts_with("*."); }
bool ends_wild(std::string_view host) { return host.ends_with(".*"); }
bool is_expression(std::string_view host) { return host.starts_with('~'); }

// Sorts exact names before "*.name" (longest first) before "name.*" before expressions before "*".
auto host_rank(const Route& route) {
  const std::string_view host = route.host;
  const int kind = host == "*"           ? 4
                   : is_expression(host) ? 3
                   : ends_wild(host)     ? 2
                   : begins_wild(host)   ? 1
                                         : 0;
  const size_t length = kind == 1 || kind == 2 ? host.size() : 0;
  return std::tuple(kind, ~length);
}

auto site_rank(const Route& route) {
  return std::tuple_cat(host_rank(route), std::tuple(!route.at_some_entrances()));
}

bool same_site(const Route& a, const Route& b) {
  return a.host == b.host && a.at_some_entrances() == b.at_some_entrances();
}

Matched serves_host(const Route& route, std::string_view host) {
  const auto matched = [](bool yes) { return yes ? Matched::yes : Matched::no; };
  if (route.host == "*") return Matched::yes;
  if (is_expression(route.host)) {
    return route.host_regex ? route.host_regex->match(to_lower(host)) : Matched::no;
  }
  if (begins_wild(route.host)) {
    const std::string_view suffix = std::string_view(route.host).substr(1);  // ".name"
    return matched(host.size() > suffix.size() &&
                   equals_ignoring_case(host.substr(host.size() - suffix.size()), suffix));
  }
  if (ends_wild(route.host)) {
    const std::string_view name(route.host.data(), route.host.size() - 1);  // "name."
    return matched(host.size() > name.size() && starts_with_ignoring_case(host, name));
  }
  return matched(equals_ignoring_case(route.host, host));
}

bool serves_entrance(const Route& route, const Entrance& entrance) {
  const auto has = [](const auto& all, const auto& one) {
    return all.empty() || std::find(all.begin(), all.end(), one) != all.end();
  };
  return has(route.rules.ports, entrance.port) && has(route.rules.listen, entrance.listener);
}

bool is_path_expression(const Route& route) {
  return route.match == PathMatch::regex || route.match == PathMatch::regex_ignoring_case;
}

bool serves_path(const Route& route, std::string_view path) {
  if (!path.starts_with(route.path)) return false;
  if (route.match == PathMatch::exact) return path.size() == route.path.size();
  if (route.match != PathMatch::segments) return true;
  return path.size() == route.path.size() || route.path.ends_with('/') ||
         path[route.path.size()] == '/';
}

auto path_rank(const Route& route) {
  return std::tuple(route.match != PathMatch::exact, ~route.path.size());
}

std::optional<Regex> expression(std::string_view pattern, bool ignoring_case) {
  auto made = Regex::compile(pattern, ignoring_case);
  return made ? std::optional(*std::move(made)) : std::nullopt;
}

bool has_variables(const conf::RouteSettings& settings) {
  const auto any_header = [](const std::vector<conf::HeaderSetting>& headers) {
    return std::any_of(headers.begin(), headers.end(),
                       [](const auto& header) { return !header.value.is_text(); });
  };
  const auto any_rule = [](const std::vector<conf::RewriteSettings>& rules) {
    return std::any_of(rules.begin(), rules.end(), [](const auto& rule) {
      return !rule.from.text.is_text() || !rule.to.is_text();
    });
  };
  return any_header(settings.add_headers) || any_header(settings.add_headers_on_success) ||
         any_rule(settings.rewrite_location) || any_rule(settings.rewrite_cookie_domain) ||
         any_rule(settings.rewrite_cookie_path);
}

Route route_of(const conf::RouteSettings& settings, const std::string& host) {
  Route route;
  route.host = is_expression(host) ? host : to_lower(without_final_dot(host));
  route.path = settings.path.empty() ? "/" : settings.path;
  route.match = settings.match;
  route.upstream = settings.upstream;
  route.status = settings.status;
  route.max_body = settings.max_body.bytes;
  route.timeouts = settings.timeouts;
  route.rules = settings;
  route.has_limits = !settings.rate_limits.empty() || !settings.connection_limits.empty();
  route.has_access_rules =
      !settings.allow.empty() || !settings.deny.empty() || !settings.basic_auth.file.empty();
  route.has_request_rules = !settings.set_headers.empty() || !settings.replace_path.empty();
  route.rewriting = protocol::Rewriting(settings);
  route.retry_on = RetryOn(settings.retry_on);
  route.has_response_rules = !settings.add_headers.empty() ||
                             !settings.add_headers_on_success.empty() ||
                             !settings.remove_headers.empty() || !route.rewriting.empty();
  route.response_has_variables = has_variables(settings);
  if (!settings.compression.types.empty()) route.compression.emplace(settings.compression);
  if (is_path_expression(route))
    route.path_regex = expression(route.path, route.match == PathMatch::regex_ignoring_case);
  if (is_expression(route.host)) route.host_regex = expression(route.host.substr(1), true);
  return route;
}

std::string group_of(const Regex& regex, std::string_view name, std::string_view subject) {
  const auto number = parse_decimal<size_t>(name);
  const auto index = number ? number : regex.group(name);
  const auto groups = index ? regex.groups(subject) : std::nullopt;
  return groups && *index < groups->size() ? (*groups)[*index] : std::string();
}

}  // namespace

RetryOn::RetryOn(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "timeout") timeout = true;
    if (word == "invalid_response") invalid_response = true;
    if (const auto status = parse_decimal<uint16_t>(word)) statuses.push_back(*status);
  }
}

bool RetryOn::has(Errc failure) const {
  return (failure == Errc::first_byte_timeout && timeout) ||
         (failure == Errc::replica_bad_response && invalid_response);
}

std::string Route::group(std::string_view name, std::string_view normal_path,
                         std::string_view authority) const {
  std::string found;
  if (path_regex) found = group_of(*path_regex, name, normal_path);
  if (found.empty() && host_regex)
    found = group_of(*host_regex, name, to_lower(host_of(authority)));
  return found;
}

RouteTable::RouteTable(const std::vector<conf::RouteSettings>& settings,
                       const conf::ForwardedSettings& forwarded) {
  gave_up_.gave_up = true;
  std::vector<std::pair<conf::TrustSettings, std::shared_ptr<const protocol::Forwarding>>> known;
  const auto forwarding_of = [&](const conf::TrustSettings& trust) {
    std::shared_ptr<const protocol::Forwarding> made;
    if (!trust.given()) return made;
    const auto same = std::find_if(known.begin(), known.end(),
                                   [&](const auto& each) { return each.first == trust; });
    if (same != known.end()) return same->second;
    made = std::make_shared<const protocol::Forwarding>(forwarded, trust);
    known.emplace_back(trust, made);
    own_.push_back(made);
    return made;
  };
  std::vector<Route> routes;
  for (const conf::RouteSettings& each : settings) {
    const auto forwarding = forwarding_of(each.forwarded);
    for (const std::string& host : each.hosts.empty() ? std::vector{each.host} : each.hosts) {
      routes.push_back(route_of(each, host));
      routes.back().forwarding = forwarding;
    }
  }
  // Sites first, so that those of one rank keep the order in which they were written.
  std::vector<std::vector<Route>> by_site;
  for (Route& route : routes) {
    auto site = std::find_if(by_site.begin(), by_site.end(), [&](const std::vector<Route>& others) {
      return same_site(others.front(), route);
    });
    if (site == by_site.end()) site = by_site.emplace(by_site.end());
    site->push_back(std::move(route));
  }
  std::stable_sort(by_site.begin(), by_site.end(), [](const auto& a, const auto& b) {
    return site_rank(a.front()) < site_rank(b.front());
  });
  for (std::vector<Route>& site : by_site) {
    Site& made = sites_.emplace_back();
    for (Route& route : site)
      (is_path_expression(route) ? made.expressions : made.prefixes).push_back(std::move(route));
    std::stable_sort(made.prefixes.begin(), made.prefixes.end(),
                     [](const Route& a, const Route& b) { return path_rank(a) < path_rank(b); });
  }
}

const Route* RouteTable::find(std::string_view authority, std::string_view path,
                              const Entrance& entrance) const {
  const std::string_view host = host_of(authority);
  std::string_view plain = cut(path, '?').first;
  if (!plain.starts_with('/')) plain = "/";  // "OPTIONS *" asks about the server as a whole
  std::string normal;
  if (protocol::needs_normalising(plain)) plain = normal = protocol::normalise_path(plain);
  for (const Site& site : sites_) {
    const Route& any = site.prefixes.empty() ? site.expressions.front() : site.prefixes.front();
    const Matched matched = serves_host(any, host);
    if (matched == Matched::gave_up) return &gave_up_;
    if (matched == Matched::no) continue;
    if (const Route* found = find_in(site, plain, entrance)) return found;
  }
  return nullptr;
}

const Route* RouteTable::find_named(std::string_view authority, std::string_view name,
                                    const Entrance& entrance) const {
  const std::string_view host = host_of(authority);
  for (const Site& site : sites_) {
    if (site.prefixes.empty() || serves_host(site.prefixes.front(), host) != Matched::yes) continue;
    for (const Route& route : site.prefixes) {
      const bool named = route.match == PathMatch::named && route.path == name;
      if (named && serves_entrance(route, entrance)) return &route;
    }
  }
  return nullptr;
}

bool RouteTable::any_trusts(std::span<const uint8_t> ip) const {
  return std::any_of(own_.begin(), own_.end(), [ip](const auto& each) { return each->trusts(ip); });
}

const Route* RouteTable::find_in(const Site& site, std::string_view path,
                                 const Entrance& entrance) const {
  const auto longest =
      std::find_if(site.prefixes.begin(), site.prefixes.end(), [&](const Route& route) {
        return serves_path(route, path) && serves_entrance(route, entrance);
      });
  const Route* prefix = longest == site.prefixes.end() ? nullptr : &*longest;
  const bool settled =
      prefix && (prefix->match == PathMatch::exact || prefix->match == PathMatch::prefix_first);
  if (settled) return prefix;
  for (const Route& route : site.expressions) {
    if (!serves_entrance(route, entrance) || !route.path_regex) continue;
    const Matched matched = route.path_regex->match(path);
    if (matched == Matched::yes) return &route;
    if (matched == Matched::gave_up) return &gave_up_;
  }
  return prefix;
}

}  // namespace usher::routing
