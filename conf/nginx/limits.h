// limit_req and limit_conn: the zones of the http block, and what a location takes of them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "conf/nginx/maps.h"
#include "conf/nginx/report.h"
#include "conf/nginx/scope.h"
#include "conf/settings.h"

namespace usher::conf::nginx {

class Limits final {
 public:
  Limits(Settings& settings, Maps& maps, Report& report)
      : settings_(settings), maps_(maps), report_(report) {}

  // limit_req_zone or limit_conn_zone.
  void declare(const Directive& directive);
  // What holds in the scope.
  void take(const Scope& scope, RouteSettings& route);

 private:
  struct Zone {
    std::string name;
    Size size;
    Rate rate{1, false};
  };

  bool read_zone(const Directive& directive, Zone& zone);
  bool read_limit(const Directive& directive, RateLimitSettings& limit);
  void take_rates(const Scope& scope, RouteSettings& route);
  void take_connections(const Scope& scope, RouteSettings& route);
  uint16_t status(const Scope& scope, const char* directive);
  bool known(const std::string& name, const std::set<std::string>& zones, const Directive& at);
  void warn_of_small_bursts(const Directive& limit, const RouteSettings& route);

  Settings& settings_;
  Maps& maps_;
  Report& report_;
  std::set<std::string> rate_zones_;
  std::set<std::string> connection_zones_;
};

}  // namespace usher::conf::nginx
