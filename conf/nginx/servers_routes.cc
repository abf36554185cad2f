// Where the routes of nginx's servers hold: at which addresses, for which names, and whom they
// believe.

#include <algorithm>

#include "base/strings.h"
#include "conf/nginx/servers.h"

namespace usher::conf::nginx {
namespace {

bool is_any(const Endpoint& address, std::string_view of_family) {
  return address.unix_path.empty() && address.host == of_family;
}

}  // namespace

// One socket of usher serves all addresses, IPv4 and IPv6, where nginx's servers do not tell them
// apart: they are those of both, or there are none at the others.
void Servers::join_families() {
  const auto key_of = [](const char* host, uint16_t port) {
    return to_string(Endpoint{host, port, {}});
  };
  std::map<std::string, std::string> joined;  // what each is called now
  for (const std::string& key : order_) {
    const auto found = addresses_.find(key);
    if (found == addresses_.end()) continue;
    const Endpoint& address = found->second.listen.address;
    const bool of_ipv4 = is_any(address, "0.0.0.0");
    if (!of_ipv4 && !is_any(address, "::")) continue;
    const auto other = addresses_.find(key_of(of_ipv4 ? "::" : "0.0.0.0", address.port));
    if (other != addresses_.end()) {
      Address& mine = found->second;
      Address& theirs = other->second;
      if (mine.servers != theirs.servers || mine.server != theirs.server) continue;
      ListenSettings& listen = mine.listen;
      listen.tls = listen.tls || theirs.listen.tls;
      listen.proxy_protocol = listen.proxy_protocol || theirs.listen.proxy_protocol;
      if (theirs.listen.protocols.size() > listen.protocols.size())
        listen.protocols = theirs.listen.protocols;
    }
    const std::string common = key_of("", address.port);
    Address both = std::move(found->second);
    both.listen.address.host.clear();
    joined[key] = common;
    if (other != addresses_.end()) {
      joined[other->first] = common;
      addresses_.erase(other);
    }
    addresses_.erase(key);
    addresses_.emplace(common, std::move(both));
  }
  for (std::string& key : order_) {
    if (const auto now = joined.find(key); now != joined.end()) key = now->second;
  }
  std::set<std::string> seen;
  std::erase_if(order_, [&](const std::string& key) { return !seen.insert(key).second; });
  for (Server& server : servers_) {
    std::set<std::string> now;
    for (const std::string& key : server.addresses)
      now.insert(joined.contains(key) ? joined[key] : key);
    server.addresses = std::move(now);
  }
}

// Where all routes believe the same proxies, these are those of [forwarded].
void Servers::share_trust() {
  std::vector<RouteSettings>& routes = settings_.routes;
  const TrustSettings first = routes.empty() ? TrustSettings() : routes.front().forwarded;
  const bool alike = std::all_of(routes.begin(), routes.end(), [&](const RouteSettings& route) {
    return route.forwarded.trusted == first.trusted &&
           route.forwarded.recursive == first.recursive &&
           equals_ignoring_case(route.forwarded.client_header, first.client_header);
  });
  if (!alike || !first.given()) return;
  settings_.forwarded.trusted = first.trusted;
  settings_.forwarded.client_header = first.client_header;
  settings_.forwarded.recursive = first.recursive;
  for (ListenSettings& listen : settings_.listen) {
    if (listen.trusted == first.trusted) listen.trusted.clear();
  }
  for (RouteSettings& route : routes)
    route.forwarded = {};
}

void Servers::emit(size_t index) {
  const Server& server = servers_[index];
  Conditions conditions;
  const std::vector<RouteSettings> routes = routes_of(server, conditions);
  warn_of(server, routes);
  using Hosts = std::vector<std::string>;
  std::map<Hosts, std::set<std::string>> plain;
  std::map<Hosts, std::set<std::string>> by_scheme;
  for (const std::string& address : server.addresses) {
    const Address& mine = addresses_[address];
    Hosts hosts;
    // The only server of an address is asked for every name.
    if (mine.servers.size() > 1 || mine.server != index) hosts = server.names;
    std::erase_if(hosts, [&](const std::string& host) { return conditions.hosts.contains(host); });
    if (mine.server == index) hosts.emplace_back("*");
    if (hosts.empty()) continue;
    (conditions.addresses.contains(address) ? by_scheme : plain)[hosts].insert(address);
  }
  for (const RouteSettings& route : conditions.of_hosts)
    emit_for(server.addresses, {route.host}, {route});
  for (const auto& [hosts, addresses] : by_scheme)
    emit_for(addresses, hosts, {*conditions.of_scheme});
  for (const auto& [hosts, addresses] : plain)
    emit_for(addresses, hosts, routes);
}

void Servers::emit_for(const std::set<std::string>& addresses, std::vector<std::string> hosts,
                       std::vector<RouteSettings> routes) {
  for (RouteSettings& route : routes) {
    if (hosts.size() == 1) {
      route.host = hosts.front();
      route.hosts.clear();
    } else {
      route.hosts = hosts;
    }
    say_where(addresses, route);
    const bool twice = std::find(settings_.routes.begin(), settings_.routes.end(), route) !=
                       settings_.routes.end();
    if (!twice) settings_.routes.push_back(std::move(route));
  }
}

// By ports, where they say it all.
void Servers::say_where(const std::set<std::string>& addresses, RouteSettings& route) const {
  route.ports.clear();
  route.listen.clear();
  if (addresses.size() == addresses_.size()) return;
  std::set<uint16_t> ports;
  for (const std::string& key : addresses) {
    const Endpoint& address = addresses_.at(key).listen.address;
    ports.insert(address.port);
    route.listen.push_back(address);
  }
  const bool all_of_ports =
      !ports.contains(0) &&
      std::all_of(addresses_.begin(), addresses_.end(), [&](const auto& each) {
        return addresses.contains(each.first) || !ports.contains(each.second.listen.address.port);
      });
  if (!all_of_ports) return;
  route.listen.clear();
  route.ports.assign(ports.begin(), ports.end());
}

}  // namespace usher::conf::nginx
