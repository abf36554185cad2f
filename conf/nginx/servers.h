// nginx's servers: listeners, certificates, and for each its names and addresses with its routes.
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
    std::set<std::string> addresses;  // keys of addresses_
  };
  // What nginx tells apart by "listen": an address and a port, all addresses of IPv4 and those of
  // IPv6 being two.
  struct Address {
    ListenSettings listen;
    std::vector<Cidr> trusted{};    // by any of its servers
    size_t server = 0;              // the default one
    bool chosen = false;            // as the default
    std::vector<size_t> servers{};  // in their order
  };

  // What its "if" say: other answers for some names, and for the addresses of one scheme.
  struct Conditions {
    std::set<std::string> hosts;
    std::vector<RouteSettings> of_hosts;
    std::set<std::string> addresses;
    std::optional<RouteSettings> of_scheme;
  };

  void listen(const Directive& directive, Server& server);
  void name(const Directive& directive, Server& server);
  void certificates(const Server& server);
  void tls_settings(const Server& server);
  void sessions(const Server& server);
  void client_certificates(const Server& server);
  void balancers(const Server& server);
  void share_trust();
  void client_side(const Server& server);
  void requests(const Server& server);
  std::vector<RouteSettings> routes_of(const Server& server, Conditions& conditions);
  bool take_condition(const Directive& directive, const Server& server, const Names& names,
                      Conditions& conditions);
  void warn_of(const Server& server, const std::vector<RouteSettings>& routes);
  void join_families();
  void emit(size_t index);
  void emit_for(const std::set<std::string>& addresses, std::vector<std::string> hosts,
                std::vector<RouteSettings> routes);
  void say_where(const std::set<std::string>& addresses, RouteSettings& route) const;

  Settings& settings_;
  Locations& locations_;
  Report& report_;
  std::vector<Server> servers_;
  std::vector<std::string> order_;  // of addresses_, as they were read
  std::map<std::string, Address> addresses_;
  bool any_tls_ = false;  // of the servers that were added
};

}  // namespace usher::conf::nginx
