// Which route serves a request: the most specific host, then the longest path prefix.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "conf/settings.h"

namespace usher::routing {

struct Upstream;

// What a route does with a request. One of upstream, redirect and status.
struct Route {
  std::string host;  // lower case, without port: "*", "name" or "*.name"
  std::string path;
  std::string upstream;
  std::string redirect;
  uint16_t status = 0;
  uint64_t max_body = 0;  // bytes; 0: no limit
  conf::RouteTimeouts timeouts;
};

class RouteTable final {
 public:
  explicit RouteTable(const std::vector<conf::RouteSettings>& settings);

  // `authority` as in Host, with or without port. Hosts compare without case and without a final
  // dot: exact, then "*.name" by length, then "*". A prefix matches whole segments: "/api" serves
  // "/api" and
  // "/api/x", not "/apix"; one that ends in "/" is a plain prefix.
  const Route* find(std::string_view authority, std::string_view path) const;

 private:
  std::vector<Route> routes_;  // in the order in which they are tried
};

}  // namespace usher::routing
