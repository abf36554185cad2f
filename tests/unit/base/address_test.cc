#include "base/address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace usher {
namespace {

using namespace std::string_literals;
using Bytes = std::vector<uint8_t>;

Bytes bytes_of(const SocketAddress& address) {
  return {address.ip_bytes().begin(), address.ip_bytes().end()};
}

TEST(SocketAddress, ReadsAndWritesNumericAddresses) {
  const auto v4 = SocketAddress::from_ip("192.0.2.1", 80);
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->ip(), "192.0.2.1");
  EXPECT_EQ(v4->port(), 80);
  EXPECT_EQ(to_string(*v4), "192.0.2.1:80");
  EXPECT_EQ(bytes_of(*v4), (Bytes{192, 0, 2, 1}));

  const auto v6 = SocketAddress::from_ip("2001:DB8:0::1", 443);
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->ip(), "2001:db8::1");
  EXPECT_EQ(to_string(*v6), "[2001:db8::1]:443");
  EXPECT_EQ(v6->ip_bytes().size(), 16u);
}

TEST(SocketAddress, SpeaksOfMappedAddressesAsIpv4) {
  const auto mapped = SocketAddress::from_ip("::ffff:192.0.2.1", 80);
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->family(), AF_INET6);
  EXPECT_EQ(mapped->ip(), "192.0.2.1");
  EXPECT_EQ(to_string(*mapped), "192.0.2.1:80");
  EXPECT_EQ(bytes_of(*mapped), (Bytes{192, 0, 2, 1}));
}

TEST(SocketAddress, RefusesWhatIsNoNumericAddress) {
  for (const auto& text :
       {""s, "localhost"s, "1.2.3"s, "1.2.3.4.5"s, "256.0.0.1"s, "01.2.3.4x"s, "[::1]"s, "::1%lo"s,
        "1.2.3.4:80"s, " 1.2.3.4"s, "1.2.3.4 "s, "1.2.3.4\0x"s, "::g"s}) {
    EXPECT_FALSE(SocketAddress::from_ip(text, 0)) << text;
  }
}

TEST(SocketAddress, KnowsUnixPaths) {
  const auto unix_address = SocketAddress::from_unix_path("/run/usher.sock");
  ASSERT_TRUE(unix_address);
  EXPECT_TRUE(unix_address->is_unix());
  EXPECT_EQ(to_string(*unix_address), "unix:/run/usher.sock");
  EXPECT_EQ(unix_address->ip(), "unix:");
  EXPECT_TRUE(unix_address->ip_bytes().empty());
  EXPECT_EQ(unix_address->port(), 0);
  EXPECT_FALSE(SocketAddress::from_unix_path(""));
  EXPECT_FALSE(SocketAddress::from_unix_path(std::string(108, 'x')));
  EXPECT_TRUE(SocketAddress::from_unix_path(std::string(107, 'x')));
}

TEST(SocketAddress, EqualsByFamilyAddressAndPort) {
  EXPECT_EQ(SocketAddress::from_ip("192.0.2.1", 80), SocketAddress::from_ip("192.0.2.1", 80));
  EXPECT_NE(SocketAddress::from_ip("192.0.2.1", 80), SocketAddress::from_ip("192.0.2.1", 81));
  EXPECT_NE(SocketAddress::from_ip("192.0.2.1", 80), SocketAddress::from_ip("192.0.2.2", 80));
  EXPECT_NE(SocketAddress::from_ip("192.0.2.1", 80),
            SocketAddress::from_ip("::ffff:192.0.2.1", 80));
  EXPECT_EQ(SocketAddress(), SocketAddress());
}

}  // namespace
}  // namespace usher
