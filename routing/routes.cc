#include "routing/routes.h"

#include <algorithm>
#include <tuple>

#include "base/strings.h"

namespace usher::routing {
namespace {

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

bool is_wildcard(std::string_view host) { return host.starts_with("*."); }

// Sorts exact names before "*.name" (longest first) before "*"; then the longest path first.
auto precedence(const Route& route) {
  const int kind = route.host == "*" ? 2 : is_wildcard(route.host) ? 1 : 0;
  const size_t host_length = kind == 1 ? route.host.size() : 0;
  return std::tuple(kind, ~host_length, ~route.path.size());
}

bool serves_host(const Route& route, std::string_view host) {
  if (route.host == "*") return true;
  if (!is_wildcard(route.host)) return equals_ignoring_case(route.host, host);
  const std::string_view suffix = std::string_view(route.host).substr(1);  // ".name"
  return host.size() > suffix.size() &&
         equals_ignoring_case(host.substr(host.size() - suffix.size()), suffix);
}

bool serves_path(const Route& route, std::string_view path) {
  if (!path.starts_with(route.path)) return false;
  return path.size() == route.path.size() || route.path.ends_with('/') ||
         path[route.path.size()] == '/';
}

Route route_of(const conf::RouteSettings& settings) {
  return {.host = to_lower(without_final_dot(settings.host)),
          .path = settings.path.empty() ? "/" : settings.path,
          .upstream = settings.upstream,
          .redirect = settings.redirect,
          .status = settings.status,
          .max_body = settings.max_body.bytes,
          .timeouts = settings.timeouts};
}

}  // namespace

RouteTable::RouteTable(const std::vector<conf::RouteSettings>& settings) {
  routes_.reserve(settings.size());
  std::transform(settings.begin(), settings.end(), std::back_inserter(routes_), route_of);
  std::stable_sort(routes_.begin(), routes_.end(),
                   [](const Route& a, const Route& b) { return precedence(a) < precedence(b); });
}

const Route* RouteTable::find(std::string_view authority, std::string_view path) const {
  const std::string_view host = host_of(authority);
  std::string_view plain = cut(path, '?').first;
  if (!plain.starts_with('/')) plain = "/";  // "OPTIONS *" asks about the server as a whole
  const auto found = std::find_if(routes_.begin(), routes_.end(), [&](const Route& route) {
    return serves_host(route, host) && serves_path(route, plain);
  });
  return found == routes_.end() ? nullptr : &*found;
}

}  // namespace usher::routing
