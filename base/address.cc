#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace usher {
namespace {

const sockaddr_in& as_ipv4(const SocketAddress& address) {
  return *reinterpret_cast<const sockaddr_in*>(address.data());
}
const sockaddr_in6& as_ipv6(const SocketAddress& address) {
  return *reinterpret_cast<const sockaddr_in6*>(address.data());
}

}  // namespace

SocketAddress::SocketAddress(const sockaddr* address, socklen_t length)
    : length_(std::min<socklen_t>(length, sizeof storage_)) {
  std::memcpy(&storage_, address, length_);
}

std::optional<SocketAddress> SocketAddress::from_ip(std::string_view ip, uint16_t port) {
  // inet_pton stops at a NUL: "192.0.2.1\0…" is no address.
  if (ip.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string text(ip);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    return SocketAddress(reinterpret_cast<sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    return SocketAddress(reinterpret_cast<sockaddr*>(&v6), sizeof v6);
  }
  return std::nullopt;
}

std::optional<SocketAddress> SocketAddress::from_unix_path(std::string_view path) {
  sockaddr_un local{};
  if (path.empty() || path.size() >= sizeof local.sun_path) return std::nullopt;
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.data(), path.size());
  const auto length = offsetof(sockaddr_un, sun_path) + path.size() + 1;
  return SocketAddress(reinterpret_cast<sockaddr*>(&local), static_cast<socklen_t>(length));
}

uint16_t SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(as_ipv4(*this).sin_port);
  if (family() == AF_INET6) return ntohs(as_ipv6(*this).sin6_port);
  return 0;
}

std::span<const uint8_t> SocketAddress::ip_bytes() const {
  if (family() == AF_INET) {
    return {reinterpret_cast<const uint8_t*>(&as_ipv4(*this).sin_addr), 4};
  }
  if (family() == AF_INET6) {
    const auto& ip = as_ipv6(*this).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&ip)) return {ip.s6_addr + 12, 4};
    return {ip.s6_addr, 16};
  }
  return {};
}

std::string SocketAddress::ip() const {
  const auto bytes = ip_bytes();
  if (bytes.empty()) return "unix:";
  char text[INET6_ADDRSTRLEN];
  ::inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

bool operator==(const SocketAddress& a, const SocketAddress& b) {
  return a.length_ == b.length_ && std::memcmp(&a.storage_, &b.storage_, a.length_) == 0;
}

std::string to_string(const SocketAddress& address) {
  if (address.is_unix()) {
    return "unix:" + std::string(reinterpret_cast<const sockaddr_un*>(address.data())->sun_path);
  }
  const std::string port = std::to_string(address.port());
  if (address.ip_bytes().size() == 16) return "[" + address.ip() + "]:" + port;
  return address.ip() + ":" + port;
}

}  // namespace usher
