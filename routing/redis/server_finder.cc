#include "routing/redis/server_finder.h"

#include <utility>

namespace usher::routing::redis {

NamedServer::NamedServer(net::Loop& loop, net::Resolver& resolver, conf::Endpoint server)
    : resolver_(resolver), server_(std::move(server)), soon_(loop, *this) {}

Pending NamedServer::find(Found found) {
  if (server_.unix_path.empty()) return resolver_.resolve(server_.host, server_.port, found);
  finished();
  found_ = std::move(found);
  soon_.start(Duration(0));
  return Pending(*this);
}

void NamedServer::on_unix_path() {
  finished();
  const Found found = std::exchange(found_, nullptr);
  const auto address = SocketAddress::from_unix_path(server_.unix_path);
  if (!address) {
    return found(Error{Errc::store_down, Side::store, "no socket path: " + server_.unix_path});
  }
  found(std::vector<SocketAddress>{*address});
}

}  // namespace usher::routing::redis
