// What a worker counts for each route. Written by its own thread, read by the control thread.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

#include "base/histogram.h"
#include "proxy/counters.h"
#include "routing/routes.h"

namespace usher::proxy {

struct RouteCounters {
  std::array<Counter, 6> responses;  // by status class; [0]: none was sent
  Counter bytes_in;
  Counter bytes_out;
  Histogram durations;    // of requests, to the end of the response
  Histogram first_bytes;  // until the response's head
};

// A route is known by what it matches: it keeps its counts when the settings are read again.
using RouteName = std::tuple<std::string, std::string, std::string>;  // host, path, how they match
RouteName name_of(const routing::Route& route);

class RouteTraffic final {
 public:
  // More routes than this are counted together, as one without a path.
  static constexpr size_t most_routes = 512;

  // On the worker's thread.
  RouteCounters& of(const routing::Route& route);
  // Any thread.
  void visit(const std::function<void(const RouteName&, const RouteCounters&)>& see) const;

 private:
  // The worker alone changes the map, and so may look into it without the mutex.
  mutable std::mutex mutex_;
  std::map<RouteName, std::unique_ptr<RouteCounters>> counters_;
};

}  // namespace usher::proxy
