#include "routing/redis/server_finder.h"

#include <utility>

namespace usher::routing::redis {
namespace {

using namespace std::chrono_literals;

std::vector<SocketAddress> numeric_addresses(const conf::Endpoint& server) {
  std::vector<SocketAddress> addresses;
  const auto add = [&](const std::optional<SocketAddress>& address) {
    if (address) addresses.push_back(*address);
  };
  if (!server.unix_path.empty()) {
    add(SocketAddress::from_unix_path(server.unix_path));
  } else if (server.host == "localhost") {
    add(SocketAddress::from_ip("127.0.0.1", server.port));
    add(SocketAddress::from_ip("::1", server.port));
  } else {
    add(SocketAddress::from_ip(server.host, server.port));
  }
  return addresses;
}

}  // namespace

NamedServer::NamedServer(net::Loop& loop, net::Resolver& resolver, conf::Endpoint server)
    : resolver_(resolver),
      server_(std::move(server)),
      numeric_(numeric_addresses(server_)),
      soon_(loop, *this) {}

NamedServer::~NamedServer() { cancel(); }

Pending NamedServer::find(Found found) {
  cancel();
  finished();
  found_ = std::move(found);
  if (!numeric_.empty() || !server_.unix_path.empty()) {
    soon_.start(0ms);
    return Pending(*this);
  }
  lookup_ = resolver_.resolve(
      server_.host, server_.port,
      [this](Result<std::vector<SocketAddress>> addresses) { answer(std::move(addresses)); });
  return Pending(*this);
}

void NamedServer::cancel() noexcept {
  found_ = nullptr;
  soon_.stop();
  lookup_.reset();
}

void NamedServer::on_numeric() { answer(numeric_); }

void NamedServer::answer(Result<std::vector<SocketAddress>> addresses) {
  const Found found = std::exchange(found_, nullptr);
  cancel();
  finished();
  if (!found) return;
  if (!addresses) return found(Error{Errc::store_down, Side::store, addresses.error().detail});
  if (addresses->empty()) {
    return found(Error{Errc::store_down, Side::store, server_.host + ": no address"});
  }
  found(std::move(addresses));
}

}  // namespace usher::routing::redis
