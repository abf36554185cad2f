#include <string_view>
#include <tuple>

#include "conf/checker.h"

namespace usher::conf {
namespace {

// Each port with each listener; an empty text: any.
std::vector<std::string> entrances_of(const RouteSettings& route) {
  std::vector<std::string> ports{""};
  if (!route.ports.empty()) ports.clear();
  for (const uint16_t port : route.ports)
    ports.push_back(std::to_string(port));
  std::vector<std::string> all;
  for (const std::string& port : ports) {
    if (route.listen.empty()) all.push_back(port);
    for (const Endpoint& listener : route.listen)
      all.push_back(port + " " + to_string(listener));
  }
  return all;
}

}  // namespace

void Checker::routes() {
  bool all_upstreams_known = !places_.doubts(settings_);
  std::vector<std::string_view> names;
  for (const auto& upstream : settings_.upstreams) {
    names.push_back(upstream.name);
    all_upstreams_known = all_upstreams_known && !places_.doubts(upstream);
  }

  using Place = std::tuple<std::string_view, std::string_view, int, std::string>;
  std::map<Place, Position> seen;
  for (const auto& route : settings_.routes) {
    if (places_.doubts(route)) continue;
    const Position at = places_.of(route);
    for (const std::string& host : route.hosts.empty() ? std::vector{route.host} : route.hosts) {
      for (const std::string& entrance : entrances_of(route)) {
        const auto [first, fresh] = seen.emplace(
            Place(*host_names_.insert(host).first, route.path, kind_of(route.match), entrance), at);
        if (fresh) continue;
        problems_.error(at, "two routes for host " + in_quotes(host) + " and path " +
                                in_quotes(route.path) + first_one(first->second));
      }
    }
    if (one_action(route) && all_upstreams_known) known_upstream(route, names);
    path(route);
    known_listeners(route);
    known_logs(route);
    what_needs_an_upstream(route);
    files(route);
    access(route);
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

void Checker::known_listeners(const RouteSettings& route) {
  for (const Endpoint& address : route.listen) {
    const bool known =
        std::any_of(settings_.listen.begin(), settings_.listen.end(),
                    [&](const ListenSettings& each) { return each.address == address; });
    if (known || places_.doubts(address)) continue;
    problems_.error(places_.of(address, route),
                    "no [[listen]] has the address " + in_quotes(to_string(address)));
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

}  // namespace usher::conf
