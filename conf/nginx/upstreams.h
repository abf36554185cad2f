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

class Upstreams final {
 public:
  Upstreams(Settings& settings, Report& report) : settings_(settings), report_(report) {}

  // An upstream block. It becomes an upstream when something leads to it.
  void declare(const Directive& block);
  bool declared(std::string_view name) const { return blocks_.find(name) != blocks_.end(); }

  // The name of the upstream for that host, "host:port" or "unix:/path" of a proxy_pass; empty,
  // when there is none and why was told.
  std::string use(const std::string& host, bool tls, const Place& at);
  // Who may sign the certificates of its https replicas.
  void trust(const std::string& name, const std::string& ca);

 private:
  void balance(const Directive& directive, UpstreamSettings& upstream);
  void server(const Directive& directive, bool tls, UpstreamSettings& upstream);
  void add_replica(const std::string& text, const ReplicaSettings& options, const Place& at,
                   UpstreamSettings& upstream);
  UpstreamSettings* find(std::string_view name);

  Settings& settings_;
  Report& report_;
  std::map<std::string, const Directive*, std::less<>> blocks_;
};

}  // namespace usher::conf::nginx
