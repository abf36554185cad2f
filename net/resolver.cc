#include "net/resolver.h"

#include <algorithm>

namespace usher::net {

void Resolver::sort(std::vector<SocketAddress>& addresses) {
  std::ranges::sort(addresses, {}, [](const SocketAddress& address) { return to_string(address); });
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
}

}  // namespace usher::net
