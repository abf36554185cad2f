#include "proxy/route_counters.h"

namespace usher::proxy {
namespace {

std::string_view name_of(conf::PathMatch match) {
  switch (match) {
    case conf::PathMatch::segments: return "segments";
    case conf::PathMatch::prefix: return "prefix";
    case conf::PathMatch::prefix_first: return "prefix_first";
    case conf::PathMatch::exact: return "exact";
    case conf::PathMatch::regex: return "regex";
    case conf::PathMatch::regex_ignoring_case: return "regex_ignoring_case";
    case conf::PathMatch::named: return "named";
  }
  return "segments";
}

}  // namespace

RouteName name_of(const routing::Route& route) {
  return {route.host, route.path, std::string(name_of(route.match))};
}

RouteCounters& RouteTraffic::of(const routing::Route& route) {
  RouteName name = name_of(route);
  if (const auto found = counters_.find(name); found != counters_.end()) return *found->second;
  const std::lock_guard lock(mutex_);
  if (counters_.size() >= most_routes) name = {};
  std::unique_ptr<RouteCounters>& made = counters_[name];
  if (!made) made = std::make_unique<RouteCounters>();
  return *made;
}

void RouteTraffic::visit(
    const std::function<void(const RouteName&, const RouteCounters&)>& see) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, counters] : counters_)
    see(name, *counters);
}

}  // namespace usher::proxy
