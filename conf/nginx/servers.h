// nginx's servers: listeners, certificates, and for each its names and ports with its routes.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "conf/nginx/locations.h"
#include "conf/nginx/report.h"
#include "conf/nginx/scope.h"
#include "conf/settings.h"

namespace usher::conf::nginx {

class Servers final {
 public:
  Servers(Settings& settings, Locations& locations, Report& report)
      : settings_(settings), locations_(locations), report_(report) {}

  // The block, and the http block around it.
  void add(const Directive& server, const Scope& http);
  // After all of them.
  void finish();

 private:
  struct Server {
    const Directive* block;
    Scope scope;
    std::vector<std::string> names;
    std::set<uint16_t> ports;
  };
  struct Port {
    bool tls = false;
    size_t server = 0;  // the default one
    bool chosen = false;
    size_t servers = 0;
  };

  // What its "if" say: other answers for some names, and for the ports of one scheme.
  struct Conditions {
    std::set<std::string> hosts;
    std::vector<RouteSettings> of_hosts;
    std::set<uint16_t> ports;
    std::optional<RouteSettings> of_scheme;
  };

  void listen(const Directive& directive, Server& server);
  void name(const Directive& directive, Server& server);
  void certificates(const Server& server);
  void tls_settings(const Server& server);
  void sessions(const Server& server);
  void client_certificates(const Server& server);
  void trusted_proxies(const Server& server);
  void client_side(const Server& server);
  void requests(const Server& server);
  std::vector<RouteSettings> routes_of(const Server& server, Conditions& conditions);
  bool take_condition(const Directive& directive, const Server& server, const Names& names,
                      Conditions& conditions);
  void warn_of(const Server& server, const std::vector<RouteSettings>& routes);
  void emit(size_t index);
  void emit_for(const std::set<uint16_t>& ports, std::vector<std::string> hosts,
                std::vector<RouteSettings> routes);

  Settings& settings_;
  Locations& locations_;
  Report& report_;
  std::vector<Server> servers_;
  std::map<uint16_t, Port> ports_;
  bool any_tls_ = false;        // of the servers that were added
  bool client_header_ = false;  // one of them has said where the client's address is
};

}  // namespace usher::conf::nginx
