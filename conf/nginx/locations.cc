#include "conf/nginx/locations.h"

#include <algorithm>

#include "base/strings.h"
#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

bool is_redirect(uint16_t status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://") || text.starts_with("$scheme");
}

}  // namespace

bool is_regex(const RouteSettings& route) {
  return route.match == PathMatch::regex || route.match == PathMatch::regex_ignoring_case;
}

void sort_by_name(std::vector<HeaderSetting>& headers) {
  std::stable_sort(headers.begin(), headers.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
}

Names names_in(const std::vector<Directive>& block, Names names) {
  for (const Directive& each : block) {
    if (each.name != "set" || each.args.size() != 2 || !each.args[0].starts_with('$')) continue;
    names[each.args[0].substr(1)] = substitute(each.args[1], names);
  }
  return names;
}

std::vector<RouteSettings> Locations::routes_of(const Scope& server, const Names& names) {
  std::vector<RouteSettings> routes;
  for (const Directive& each : *server.block) {
    if (each.name == "location") add(each, server, names, false, routes);
  }
  const auto serves = [&](std::string_view path) {
    return std::any_of(routes.begin(), routes.end(), [&](const RouteSettings& route) {
      return route.path == path && !is_regex(route);
    });
  };
  // nginx sends who asks for "/api" to "/api/" when only the latter leads to a replica.
  std::vector<RouteSettings> to_folders;
  for (const RouteSettings& route : routes) {
    const bool folder = route.path.size() > 1 && route.path.ends_with('/') && !is_regex(route);
    if (!folder || route.upstream.empty() || route.match == PathMatch::exact) continue;
    const std::string path = route.path.substr(0, route.path.size() - 1);
    // What has a "$" in its name cannot be said in a text with variables.
    const auto to = parse_template(route.path + "$is_args$args");
    if (serves(path) || !to) continue;
    RouteSettings& made = to_folders.emplace_back();
    made.path = path;
    made.match = PathMatch::exact;
    made.redirect = *to;
    made.redirect_status = 301;
  }
  std::move(to_folders.begin(), to_folders.end(), std::back_inserter(routes));
  const bool has_root = std::any_of(routes.begin(), routes.end(), [](const RouteSettings& route) {
    return route.path == "/" && !is_regex(route) && route.match != PathMatch::exact;
  });
  if (!has_root) {
    RouteSettings& rest = routes.emplace_back();
    rest.match = PathMatch::prefix;
    limits_.take(server, rest);
    access(server, names, rest);
    files(server, names, rest);
    common(server, names, rest);
  }
  return routes;
}

bool Locations::take_path(const Directive& location, RouteSettings& route) {
  std::string modifier;
  std::string path = location.args.back();
  if (location.args.size() == 2) {
    modifier = location.args.front();
  } else {
    for (const std::string_view mark : {"=", "^~", "~*", "~"}) {
      if (!path.starts_with(mark)) continue;
      modifier = mark;
      path.erase(0, mark.size());
      break;
    }
  }
  route.path = path;
  if (modifier.empty() && path.starts_with('@')) {
    route.match = PathMatch::named;
  } else if (modifier.empty()) {
    route.match = PathMatch::prefix;
  } else if (modifier == "=") {
    route.match = PathMatch::exact;
  } else if (modifier == "^~") {
    route.match = PathMatch::prefix_first;
  } else if (modifier == "~") {
    route.match = PathMatch::regex;
  } else if (modifier == "~*") {
    route.match = PathMatch::regex_ignoring_case;
  } else {
    report_.error(location.at, "invalid location modifier " + in_quotes(modifier));
    return false;
  }
  return true;
}

void Locations::add(const Directive& location, const Scope& around, Names names, bool in_regex,
                    std::vector<RouteSettings>& routes) {
  RouteSettings route;
  if (!take_path(location, route)) return;
  names = names_in(location.block, std::move(names));
  const Scope scope{&location.block, &around};
  for (const Directive& each : location.block) {
    if (each.name == "if") {
      report_.not_served(each.at,
                         "\"if\" in a location is not served: make it a location of its own");
    }
    if (each.name != "location") continue;
    if (each.args.front().starts_with('@')) {
      report_.error(each.at, "named location " + in_quotes(each.args.front()) +
                                 " can be on the server level only");
      continue;
    }
    if (in_regex || is_regex(route) || each.args.front().starts_with('~')) {
      report_.not_served(each.at, "a location nested in or as a regular expression is not served");
      continue;
    }
    add(each, scope, names, false, routes);
  }
  act(scope, names, route);
  common(scope, names, route);
  routes.push_back(std::move(route));
}

// What the location does, in nginx's order: return, limits, access, then the content.
void Locations::act(const Scope& scope, const Names& names, RouteSettings& route) {
  if (const Directive* answers = scope.own("return")) return answer(*answers, names, route);
  limits_.take(scope, route);
  access(scope, names, route);
  if (const Directive* pass = scope.own("proxy_pass")) {
    if (const Directive* tries = scope.own("try_files"))
      report_.not_served(tries->at, "\"try_files\" beside \"proxy_pass\" is not served");
    bounds(scope, route);
    whole_requests(scope);
    return proxy(*pass, scope, names, route);
  }
  files(scope, names, route);
}

void Locations::answer(const Directive& directive, const Names& names, RouteSettings& route) {
  const std::string& first = directive.args.front();
  const auto number = parse_decimal<uint16_t>(first);
  const std::string text = directive.args.size() > 1 ? directive.args[1] : number ? "" : first;
  if (!number && directive.args.size() > 1)
    return report_.error(directive.at, "invalid return code " + in_quotes(first));
  const uint16_t status = number.value_or(302);
  if (is_redirect(status) && !text.empty()) {
    const std::string to = substitute(text, names);
    if (!is_url(to) && !to.starts_with('/') && !to.starts_with('$')) {
      return report_.error(directive.at,
                           "a redirect leads to a URL or to a path, not to " + in_quotes(to));
    }
    route.redirect = value(text, names, directive.at);
    route.redirect_status = status;
    return;
  }
  if (status < 200 || status > 599)
    return report_.error(directive.at, "invalid return code " + in_quotes(first));
  route.status = status;
  if (text.empty()) return;
  route.body = value(text, names, directive.at);
}

Template Locations::value(const std::string& text, const Names& names, const Place& at) {
  return maps_.read(substitute(text, names), at);
}

void Locations::common(const Scope& scope, const Names& names, RouteSettings& route) {
  trust(scope, route);
  odd_headers(scope, route);
  logs_.choose(scope, route);
  if (const Directive* type = scope.find("default_type")) route.content_type = type->args.front();
  expires(scope, route);
  compression(scope, route);
  for (const Directive* directive : scope.all("add_header")) {
    const std::string& name = directive->args[0];
    std::string text = directive->args[1];
    const bool always = directive->args.size() == 3;
    if (always && directive->args[2] != "always") {
      report_.error(directive->at, "invalid parameter " + in_quotes(directive->args[2]));
      continue;
    }
    if (text.empty()) continue;
    if (text.find_first_of("\r\n") != std::string::npos) {
      report_.warning(directive->at, "a line feed in the value of " + in_quotes(name) +
                                         " is no header: it becomes a space");
      std::replace_if(
          text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
    }
    if (!route.body.empty() && equals_ignoring_case(name, "content-type")) {
      route.content_type = text;
      continue;
    }
    if (const char* wanted = header_to_set(name)) {
      report_.error(directive->at, std::string("add_header: expected ") + wanted);
      continue;
    }
    const bool silences = equals_ignoring_case(name, "permissions-policy") &&
                          text.find("microphone=()") != std::string::npos;
    if (silences)
      report_.warning(directive->at, "\"microphone=()\" switches Open WebUI's voice input off");
    auto& headers = always ? route.add_headers : route.add_headers_on_success;
    headers.push_back({name, value(text, names, directive->at)});
  }
  sort_by_name(route.add_headers);
  sort_by_name(route.add_headers_on_success);
  const auto passed = scope.all("proxy_pass_header");
  for (const Directive* directive : scope.all("proxy_hide_header")) {
    const std::string& name = directive->args.front();
    const bool passes = std::any_of(passed.begin(), passed.end(), [&](const Directive* other) {
      return equals_ignoring_case(other->args.front(), name);
    });
    if (!passes) route.remove_headers.push_back(name);
  }
}

void Locations::expires(const Scope& scope, RouteSettings& route) {
  const Directive* directive = scope.find("expires");
  if (!directive) return;
  const std::string& text = directive->args.back();
  if (text == "off") return;
  std::string control = "no-cache";
  if (text == "max") control = "max-age=315360000";
  if (text != "max" && text != "epoch" && !text.starts_with('-')) {
    const auto time = parse_time(text);
    if (!time || directive->args.size() > 1) {
      return report_.not_served(directive->at,
                                "this form of \"expires\" is not served: use "
                                "add_headers = { \"Cache-Control\" = \"max-age=…\" }");
    }
    control = "max-age=" + std::to_string(time->count() / 1000);
  }
  route.remove_headers.insert(route.remove_headers.end(), {"Expires", "Cache-Control"});
  route.add_headers_on_success.push_back({"Cache-Control", *parse_template(control)});
}

}  // namespace usher::conf::nginx
