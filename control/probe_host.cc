#include "control/probe_host.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "base/strings.h"

namespace usher::control {
namespace {

// Of the names of a route the first that is one, and not a pattern for several.
std::string first_name(const conf::RouteSettings& route) {
  const auto is_name = [](const std::string& host) {
    return !host.empty() && host.find_first_of("*~") == std::string::npos && !host.starts_with('.');
  };
  if (route.hosts.empty()) return is_name(route.host) ? route.host : std::string();
  const auto found = std::ranges::find_if(route.hosts, is_name);
  return found == route.hosts.end() ? std::string() : *found;
}

// What a request for `name` is given there, as far as that follows from its name alone.
std::optional<std::string> host_from(const conf::Template& value, const conf::RouteSettings& route,
                                     const std::string& name) {
  std::string host;
  for (const conf::TemplatePart& part : value.parts) {
    switch (part.variable) {
      case conf::Variable::text: host += part.text; break;
      case conf::Variable::proxy_host: host += route.upstream; break;
      case conf::Variable::host:
      case conf::Variable::http_host:
      case conf::Variable::server_name:
        if (name.empty()) return std::nullopt;
        host += name;
        break;
      default: return std::nullopt;
    }
  }
  if (host.empty()) return std::nullopt;
  return host;
}

std::optional<std::string> host_of(const conf::RouteSettings& route) {
  const std::string name = first_name(route);
  for (const conf::HeaderSetting& header : route.set_headers) {
    if (equals_ignoring_case(header.name, "host")) return host_from(header.value, route, name);
  }
  if (name.empty()) return std::nullopt;
  return name;
}

}  // namespace

std::string probe_host(const conf::Settings& settings, const conf::UpstreamSettings& upstream) {
  if (!upstream.health.host.empty()) return upstream.health.host;
  for (const conf::RouteSettings& route : settings.routes) {
    if (route.upstream != upstream.name) continue;
    if (auto host = host_of(route)) return *host;
  }
  return {};
}

}  // namespace usher::control
