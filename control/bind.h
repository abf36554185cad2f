// From an address in the settings to a listening socket, and back to a text for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "base/result.h"
#include "conf/settings.h"

namespace usher::control {

// Where it may be, the likeliest first. Without a host: every address of this machine, by IPv6 or
// IPv4. A name is resolved here and now.
Result<std::vector<SocketAddress>> addresses_of(const conf::Endpoint& endpoint);

// Without a host: every address of this machine, IPv6 and IPv4. A name is resolved here and now.
Result<Fd> bind(const conf::Endpoint& endpoint);

// What a person would type: a socket on every address is reached on this machine's own.
std::string url_of(std::string_view scheme, const SocketAddress& address);

}  // namespace usher::control
