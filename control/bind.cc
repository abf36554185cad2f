#include "control/bind.h"

#include "net/listener.h"
#include "net/system_resolver.h"

namespace usher::control {

Result<std::vector<SocketAddress>> addresses_of(const conf::Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) {
    const auto address = SocketAddress::from_unix_path(endpoint.unix_path);
    if (!address)
      return Error{Errc::bad_config, Side::usher, endpoint.unix_path + ": path too long"};
    return std::vector<SocketAddress>{*address};
  }
  if (endpoint.host.empty()) {
    // One IPv6 socket serves both; without IPv6 there is IPv4. bind() tries them in this order.
    return std::vector<SocketAddress>{*SocketAddress::from_ip("::", endpoint.port),
                                      *SocketAddress::from_ip("0.0.0.0", endpoint.port)};
  }
  if (const auto address = SocketAddress::from_ip(endpoint.host, endpoint.port)) {
    return std::vector<SocketAddress>{*address};
  }
  return net::SystemResolver::resolve_now(endpoint.host, endpoint.port);
}

Result<Fd> bind(const conf::Endpoint& endpoint) {
  const auto addresses = addresses_of(endpoint);
  if (!addresses) return addresses.error();
  Result<Fd> bound = Error{Errc::bad_config, Side::usher, to_string(endpoint) + ": no address"};
  for (const SocketAddress& address : *addresses) {
    bound = net::Listener::bind(address);
    if (bound) break;
  }
  return bound;
}

std::string url_of(std::string_view scheme, const SocketAddress& address) {
  if (address.is_unix()) return to_string(address);
  const std::string ip = address.ip();
  const bool any = ip == "::" || ip == "0.0.0.0";
  const std::string host = any                                 ? "127.0.0.1"
                           : ip.find(':') == std::string::npos ? ip
                                                               : "[" + ip + "]";
  return std::string(scheme) + "://" + host + ":" + std::to_string(address.port());
}

}  // namespace usher::control
