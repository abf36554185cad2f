#include "proxy/flooders.h"

#include <gtest/gtest.h>

#include <array>

#include "base/address.h"

namespace usher::proxy {
namespace {

using namespace std::chrono_literals;

std::string ip(std::string_view text) {
  const SocketAddress address = SocketAddress::from_ip(text, 1).value();
  const auto bytes = address.ip_bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const uint8_t> bytes(const std::string& ip) {
  return {reinterpret_cast<const uint8_t*>(ip.data()), ip.size()};
}

TEST(Flooders, AreKnownUntilTheirPenaltyIsOver) {
  Flooders flooders;
  const MonotonicTime now{1h};
  const std::string one = ip("192.0.2.1");
  EXPECT_FALSE(flooders.has(bytes(one), now));
  flooders.add(bytes(one), now);
  EXPECT_TRUE(flooders.has(bytes(one), now + Flooders::penalty - 1ms));
  EXPECT_FALSE(flooders.has(bytes(ip("192.0.2.2")), now));
  EXPECT_FALSE(flooders.has(bytes(one), now + Flooders::penalty));
}

TEST(Flooders, ANetworkOfIpv6IsOneOfThem) {
  Flooders flooders;
  const MonotonicTime now{1h};
  flooders.add(bytes(ip("2001:db8:0:1::1")), now);
  EXPECT_TRUE(flooders.has(bytes(ip("2001:db8:0:1:ffff::2")), now));
  EXPECT_FALSE(flooders.has(bytes(ip("2001:db8:0:2::1")), now));
}

TEST(Flooders, AreBounded) {
  Flooders flooders;
  const MonotonicTime now{1h};
  const auto address = [](size_t number) {
    return std::array<uint8_t, 4>{10, 0, static_cast<uint8_t>(number >> 8),
                                  static_cast<uint8_t>(number)};
  };
  for (size_t number = 0; number < Flooders::most + 100; ++number)
    flooders.add(address(number), now);
  size_t known = 0;
  for (size_t number = 0; number < Flooders::most + 100; ++number)
    known += flooders.has(address(number), now) ? 1 : 0;
  EXPECT_EQ(known, Flooders::most);
}

}  // namespace
}  // namespace usher::proxy
