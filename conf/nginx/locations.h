// One location of nginx, or a server without any, as a route.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "conf/nginx/limits.h"
#include "conf/nginx/logs.h"
#include "conf/nginx/maps.h"
#include "conf/nginx/report.h"
#include "conf/nginx/scope.h"
#include "conf/nginx/upstreams.h"
#include "conf/settings.h"

namespace usher::conf::nginx {

class Locations final {
 public:
  // `folder`: where files are that are named without one, with a "/" at its end.
  Locations(Settings& settings, Upstreams& upstreams, Limits& limits, Maps& maps, Logs& logs,
            Report& report, std::string folder)
      : settings_(settings),
        upstreams_(upstreams),
        limits_(limits),
        maps_(maps),
        logs_(logs),
        report_(report),
        folder_(std::move(folder)) {}

  // Every location of a server, nested ones too, as routes for any host. `names` is what `set` said
  // in the server.
  std::vector<RouteSettings> routes_of(const Scope& server, const Names& names);
  // What `return` says.
  void answer(const Directive& directive, const Names& names, RouteSettings& route);
  // What a route of any kind has: whom it believes, which headers it reads, its lines in logs, and
  // add_header and what else its responses are given.
  void common(const Scope& scope, const Names& names, RouteSettings& route);

 private:
  void add(const Directive& location, const Scope& around, Names names, bool in_regex,
           std::vector<RouteSettings>& routes);
  bool take_path(const Directive& location, RouteSettings& route);
  void act(const Scope& scope, const Names& names, RouteSettings& route);
  void files(const Scope& scope, const Names& names, RouteSettings& route);
  bool file_place(const Scope& scope, const Names& names, RouteSettings& route);
  void try_files(const Scope& scope, const Names& names, RouteSettings& route);
  void index(const Scope& scope, const Names& names, RouteSettings& route);
  void types(const Scope& scope, RouteSettings& route);
  void etag(const Scope& scope, RouteSettings& route);
  void proxy(const Directive& pass, const Scope& scope, const Names& names, RouteSettings& route);
  void request_headers(const Scope& scope, const Names& names, bool direct_tls,
                       const std::string& host, const Place& at, RouteSettings& route);
  void replica_tls(const Scope& scope, const std::string& host, const Names& names, const Place& at,
                   const std::string& upstream);
  void whole_requests(const Scope& scope);
  void redirects(const Directive& pass, const Scope& scope, const Names& names,
                 const std::optional<RewriteSettings>& usual, RouteSettings& route);
  void cookies(const Scope& scope, const Names& names, RouteSettings& route);
  void rewrite(const Directive& directive, const Names& names, std::vector<RewriteSettings>& rules);
  void trust(const Scope& scope, RouteSettings& route);
  void odd_headers(const Scope& scope, RouteSettings& route);
  void expires(const Scope& scope, RouteSettings& route);
  void compression(const Scope& scope, RouteSettings& route);
  void access(const Scope& scope, const Names& names, RouteSettings& route);
  void passwords(const Scope& scope, const Names& names, RouteSettings& route);
  void networks(const Scope& scope, RouteSettings& route);
  void bounds(const Scope& scope, RouteSettings& route);
  void attempts(const Scope& scope, RouteSettings& route);
  Template value(const std::string& text, const Names& names, const Place& at);

  Settings& settings_;
  Upstreams& upstreams_;
  Limits& limits_;
  Maps& maps_;
  Logs& logs_;
  Report& report_;
  const std::string folder_;
};

bool is_regex(const RouteSettings& route);
// As a table of usher.toml is read; the order of names means nothing.
void sort_by_name(std::vector<HeaderSetting>& headers);
// `set` of that block, with what was set around it.
Names names_in(const std::vector<Directive>& block, Names names);

}  // namespace usher::conf::nginx
