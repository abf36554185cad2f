#include "net/listener.h"

#include <gtest/gtest.h>

#include <vector>

namespace usher::net {
namespace {

Fd bound(const SocketAddress& address) {
  auto fd = Listener::bind(address);
  EXPECT_TRUE(fd) << fd.error().detail;
  return std::move(*fd);
}

class ListenerOthers : public testing::TestWithParam<const char*> {
 protected:
  ListenerOthers() {
    ours.push_back(bound(*SocketAddress::from_ip(GetParam(), 0)));
    address = Listener::bound_address(ours.front());
  }

  std::vector<Fd> ours;
  SocketAddress address;
};

TEST_P(ListenerOthers, AreNoneWhileOnlyOwnSocketsListen) {
  EXPECT_FALSE(Listener::others_at(address, ours));
  ours.push_back(bound(address));
  EXPECT_FALSE(Listener::others_at(address, ours));
}

TEST_P(ListenerOthers, AreSeenFromWhenTheyListenUntilTheyAreGone) {
  {
    const Fd other = bound(address);
    EXPECT_TRUE(Listener::others_at(address, ours));
  }
  EXPECT_FALSE(Listener::others_at(address, ours));
}

TEST_P(ListenerOthers, AtAnotherPortAreNone) {
  const Fd other = bound(*SocketAddress::from_ip(GetParam(), 0));
  EXPECT_FALSE(Listener::others_at(address, ours));
}

INSTANTIATE_TEST_SUITE_P(EachFamily, ListenerOthers,
                         testing::Values("127.0.0.1", "0.0.0.0", "::1", "::"));

TEST(ListenerOthersElsewhere, AtAnotherAddressOfThePortAreNone) {
  std::vector<Fd> ours;
  ours.push_back(bound(*SocketAddress::from_ip("127.0.0.1", 0)));
  const SocketAddress address = Listener::bound_address(ours.front());
  const Fd other = bound(*SocketAddress::from_ip("127.0.0.2", address.port()));
  EXPECT_FALSE(Listener::others_at(address, ours));
}

}  // namespace
}  // namespace usher::net
