// nginx's upstream blocks, and the hosts that proxy_pass names, as upstreams of usher.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "conf/nginx/report.h"
#include "conf/nginx/scope.h"
#include "conf/settings.h"

namespace usher::conf::nginx {

// What proxy_ssl_… say.
struct ReplicaTls {
  bool verify = false;
  std::string name;  // empty: the one in the address
  std::string ca;    // empty: the system's
  friend bool operator==(const ReplicaTls&, const ReplicaTls&) = default;
};

// What keepalive_requests says: with 0, as with 1, each request has a connection of its own.
uint32_t requests_of_connection(uint32_t said);

class Upstreams final {
 public:
  Upstreams(Settings& settings, Report& report) : settings_(settings), report_(report) {}

  // An upstream block, and the http block around it. It becomes an upstream when something leads to
  // it.
  void declare(const Directive& block, const Scope& http);
  bool declared(std::string_view name) const { return blocks_.find(name) != blocks_.end(); }

  // The name of the upstream for that host, "host:port" or "unix:/path" of a proxy_pass; empty,
  // when there is none and why was told.
  std::string use(const std::string& host, bool tls, const Place& at);
  // How its https replicas are verified. Locations that lead there must agree.
  void verify(const std::string& name, const ReplicaTls& terms, const Place& at);
  // Its replicas are asked how they are: what `health_check` says.
  void check(const std::string& name, const Directive& directive);
  // By what `resolver` says there, if it does, its names are resolved. Locations that lead there
  // must agree.
  void resolve(const std::string& name, const Scope& scope);

 private:
  // What `resolver` says.
  struct Resolution {
    std::vector<std::string> nameservers;
    Millis valid = UpstreamSettings().resolve;
    std::string addresses = UpstreamSettings().addresses;
    friend bool operator==(const Resolution&, const Resolution&) = default;
  };

  Resolution resolution(const Directive& directive);
  void read(const Directive& directive, UpstreamSettings& upstream);
  void kept(const Directive& directive, UpstreamSettings& upstream);
  void server(const Directive& directive, bool tls, UpstreamSettings& upstream);
  void max_fails(const Directive& directive, std::string_view value, UpstreamSettings& upstream);
  void add_replica(const std::string& text, const ReplicaSettings& options, const Place& at,
                   UpstreamSettings& upstream);
  UpstreamSettings* find(std::string_view name);

  Settings& settings_;
  Report& report_;
  struct Block {
    const Directive* directive;
    const Scope* http;
  };
  std::map<std::string, Block, std::less<>> blocks_;
  // By the upstream's name.
  std::map<std::string, ReplicaTls, std::less<>> terms_;
  std::map<std::string, Resolution, std::less<>> resolutions_;
};

}  // namespace usher::conf::nginx
