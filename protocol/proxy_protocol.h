// The PROXY protocol, versions 1 and 2: what a balancer in front says before anything else, where
// the connection that it passes on comes from. As in HAProxy's proxy-protocol.txt, sections 2.1 and
// 2.2.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/address.h"
#include "base/result.h"

namespace usher::protocol {

// A header of version 2 may carry more than anybody sends; a longer one is refused. Bytes.
constexpr size_t longest_proxy_header = 4096;

struct ProxyHeader {
  size_t size = 0;  // bytes; what comes behind them is the connection's own
  // Nothing: the balancer speaks for itself (its health check), or does not know.
  std::optional<SocketAddress> source;
  std::optional<SocketAddress> destination;
};

// Reads the header that `bytes` begins with. Nothing yet: more bytes are needed. Additional fields
// of version 2 (TLVs) are passed over.
Result<std::optional<ProxyHeader>> parse_proxy_header(std::span<const char> bytes);

}  // namespace usher::protocol
