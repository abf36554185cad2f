// The PROXY protocol's header. What is found in a whole one is not found earlier and not changed by
// what follows it.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "protocol/proxy_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using usher::protocol::parse_proxy_header;
  const std::span<const char> bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = parse_proxy_header(bytes);
  if (!whole || !*whole) return 0;
  const usher::protocol::ProxyHeader& header = **whole;
  if (header.size > size || header.size > usher::protocol::longest_proxy_header) std::abort();
  if (header.source.has_value() != header.destination.has_value()) std::abort();
  const auto exact = parse_proxy_header(bytes.first(header.size));
  if (!exact || !*exact || (*exact)->size != header.size) std::abort();
  if ((*exact)->source != header.source) std::abort();
  const auto cut = parse_proxy_header(bytes.first(header.size - 1));
  if (!cut || *cut) std::abort();
  return 0;
}
