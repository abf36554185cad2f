#include "protocol/proxy_protocol.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "base/strings.h"

namespace usher::protocol {
namespace {

using Parsed = Result<std::optional<ProxyHeader>>;

constexpr std::string_view v1_begins = "PROXY ";
constexpr size_t longest_v1 = 107;  // with its CRLF
constexpr std::string_view v2_begins{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr size_t v2_fixed = 16;

Error malformed(const char* what) {
  return {Errc::bad_proxy_header, Side::client, std::string("PROXY protocol: ") + what};
}

bool may_become(std::string_view bytes, std::string_view beginning) {
  const size_t known = std::min(bytes.size(), beginning.size());
  return bytes.substr(0, known) == beginning.substr(0, known);
}

// "192.0.2.1" with "4711"; a port has no sign and no leading zero.
std::optional<SocketAddress> address_of(std::string_view ip, std::string_view port, int family) {
  const auto number = parse_decimal<uint16_t>(port);
  if (!number || (port.size() > 1 && port.front() == '0')) return std::nullopt;
  auto address = SocketAddress::from_ip(ip, *number);
  return address && address->family() == family ? address : std::nullopt;
}

Parsed parse_v1(std::string_view text) {
  const size_t end = text.substr(0, longest_v1).find("\r\n");
  if (end == std::string_view::npos) {
    if (text.size() >= longest_v1) return malformed("a line that is too long");
    return std::optional<ProxyHeader>();
  }
  ProxyHeader header{.size = end + 2, .source = {}, .destination = {}};
  const std::string_view line = text.substr(v1_begins.size(), end - v1_begins.size());
  std::array<std::string_view, 5> words;
  size_t count = 0;
  for (std::optional<std::string_view> rest = line; rest; ++count) {
    const auto [word, after] = cut(*rest, ' ');
    // What follows UNKNOWN is not looked at.
    if (count == 0 && word == "UNKNOWN") return std::optional(header);
    if (count == words.size()) return malformed("a line with too many words");
    words[count] = word;
    rest = after;
  }
  const int family = words[0] == "TCP4" ? AF_INET : words[0] == "TCP6" ? AF_INET6 : AF_UNSPEC;
  if (family == AF_UNSPEC || count != words.size()) return malformed("no line of version 1");
  header.source = address_of(words[1], words[3], family);
  header.destination = address_of(words[2], words[4], family);
  if (!header.source || !header.destination) return malformed("no addresses of version 1");
  return std::optional(header);
}

uint16_t number_at(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) << 8 |
                               static_cast<uint8_t>(bytes[at + 1]));
}

SocketAddress v4_at(std::string_view bytes, size_t at, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  std::memcpy(&address.sin_addr, bytes.data() + at, sizeof address.sin_addr);
  return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

SocketAddress v6_at(std::string_view bytes, size_t at, uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  std::memcpy(&address.sin6_addr, bytes.data() + at, sizeof address.sin6_addr);
  return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

Parsed parse_v2(std::string_view bytes) {
  if (bytes.size() < v2_fixed) return std::optional<ProxyHeader>();
  const auto command = static_cast<uint8_t>(bytes[12]);
  const auto family = static_cast<uint8_t>(bytes[13]);
  const size_t length = number_at(bytes, 14);
  constexpr uint8_t local = 0x20, proxied = 0x21;
  if (command != local && command != proxied) return malformed("an unknown version or command");
  if (v2_fixed + length > longest_proxy_header) return malformed("a header that is too long");
  if (bytes.size() < v2_fixed + length) return std::optional<ProxyHeader>();
  ProxyHeader header{.size = v2_fixed + length, .source = {}, .destination = {}};
  if (command == local) return std::optional(header);

  constexpr uint8_t unspecified = 0x00, tcp4 = 0x11, tcp6 = 0x21, unix_stream = 0x31;
  switch (family) {
    case unspecified:
    case unix_stream: return std::optional(header);
    case tcp4:
      if (length < 12) return malformed("a header that is too short for its addresses");
      header.source = v4_at(bytes, 16, number_at(bytes, 24));
      header.destination = v4_at(bytes, 20, number_at(bytes, 26));
      return std::optional(header);
    case tcp6:
      if (length < 36) return malformed("a header that is too short for its addresses");
      header.source = v6_at(bytes, 16, number_at(bytes, 48));
      header.destination = v6_at(bytes, 32, number_at(bytes, 50));
      return std::optional(header);
    default: return malformed("an address family that is not TCP's");
  }
}

}  // namespace

Parsed parse_proxy_header(std::span<const char> given) {
  const std::string_view bytes(given.data(), given.size());
  const bool v1 = may_become(bytes, v1_begins);
  if (!v1 && !may_become(bytes, v2_begins)) return malformed("the connection begins without it");
  if (bytes.size() < (v1 ? v1_begins.size() : v2_begins.size()))
    return std::optional<ProxyHeader>();
  return v1 ? parse_v1(bytes) : parse_v2(bytes);
}

}  // namespace usher::protocol
