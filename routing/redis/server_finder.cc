#include "routing/redis/server_finder.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace usher::routing::redis {

bool is_server_host(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alpha(c) || is_digit(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
  });
}

std::string name_of(const conf::Endpoint& server) {
  if (!server.unix_path.empty()) return server.unix_path;
  const bool bare = server.host.find(':') == std::string::npos;
  return (bare ? server.host : "[" + server.host + "]") + ":" + std::to_string(server.port);
}

std::vector<ServerAddress> name_all(const std::vector<SocketAddress>& addresses,
                                    const std::string& host) {
  std::vector<ServerAddress> named;
  for (const SocketAddress& address : addresses)
    named.push_back({address, host});
  return named;
}

NamedServers::NamedServers(net::Loop& loop, net::Resolver& resolver,
                           std::vector<conf::Endpoint> servers)
    : resolver_(resolver), servers_(std::move(servers)), soon_(loop, *this) {}

Pending NamedServers::find(Found found) {
  asked_ = servers_[next_];
  next_ = (next_ + 1) % servers_.size();
  if (asked_.unix_path.empty()) {
    return resolver_.resolve(asked_.host, asked_.port,
                             [found = std::move(found),
                              host = asked_.host](Result<std::vector<SocketAddress>> addresses) {
                               if (!addresses) return found(std::move(addresses).error());
                               found(name_all(*addresses, host));
                             });
  }
  finished();
  found_ = std::move(found);
  soon_.start(Duration(0));
  return Pending(*this);
}

void NamedServers::use(std::vector<conf::Endpoint> servers) {
  servers_ = std::move(servers);
  next_ = 0;
}

void NamedServers::on_unix_path() {
  finished();
  const Found found = std::exchange(found_, nullptr);
  const auto address = SocketAddress::from_unix_path(asked_.unix_path);
  if (!address) {
    return found(Error{Errc::store_down, Side::store, "no socket path: " + asked_.unix_path});
  }
  found(std::vector<ServerAddress>{{*address, asked_.unix_path}});
}

}  // namespace usher::routing::redis
