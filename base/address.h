// A socket address: IPv4, IPv6 or a unix path. A value.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace usher {

class SocketAddress final {
 public:
  SocketAddress() = default;
  SocketAddress(const sockaddr* address, socklen_t length);

  // Numeric only: "127.0.0.1", "::1". Nothing for a name.
  static std::optional<SocketAddress> from_ip(std::string_view ip, uint16_t port);
  static std::optional<SocketAddress> from_unix_path(std::string_view path);

  bool is_unix() const { return family() == AF_UNIX; }
  int family() const { return storage_.generic.sa_family; }
  uint16_t port() const;
  const sockaddr* data() const { return &storage_.generic; }
  socklen_t length() const { return length_; }

  // "192.0.2.1", "2001:db8::1"; an IPv4-mapped IPv6 address as its IPv4 address; "unix:" for a
  // unix socket, as nginx says it.
  std::string ip() const;
  // 4 or 16 bytes, IPv4-mapped addresses as 4; empty for unix.
  std::span<const uint8_t> ip_bytes() const;

  friend bool operator==(const SocketAddress& a, const SocketAddress& b);

 private:
  union Storage {
    sockaddr generic;
    sockaddr_storage any;
    sockaddr_un local;
  };
  Storage storage_{.any = {}};
  socklen_t length_ = 0;
};

// "192.0.2.1:80", "[2001:db8::1]:80", "unix:/run/x.sock".
std::string to_string(const SocketAddress& address);

}  // namespace usher
