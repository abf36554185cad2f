// A client and replicas that say anything, cut anywhere, and replicas that come and go: the relay
// must keep its bounds, write only whole frames of its own, and never speak to a replica that is
// gone.
//
// The input is a list of steps: an octet whose low bits say what happens, for words with an octet
// of length and so many octets behind it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "protocol/socket_io_relay.h"

namespace {

using usher::protocol::SocketIoRelay;
using Phase = SocketIoRelay::Phase;

class Scene final : public SocketIoRelay::Ends {
 public:
  void to_client(std::span<const char>) override {}
  void to_replica(std::span<const char>) override {
    if (relay.phase() == Phase::alone) std::abort();
  }

  // As whoever has the sockets does after each call.
  bool goes_on() {
    if (relay.fault() || relay.refused()) return false;
    return !relay.lost() || lose();
  }
  bool lose() {
    if (!relay.obstacle().empty()) return false;
    relay.lose_replica();
    return true;
  }

  SocketIoRelay relay{*this, std::make_shared<const std::vector<std::string>>(
                                 std::vector<std::string>{"user-join"})};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Scene scene;
  SocketIoRelay& relay = scene.relay;
  usher::MonotonicTime now{std::chrono::hours(1)};
  std::span<const uint8_t> input(data, size);
  const auto take = [&] {
    const uint8_t octet = input.front();
    input = input.subspan(1);
    return octet;
  };
  while (input.size() >= 2 && scene.goes_on()) {
    const uint8_t what = take();
    now += std::chrono::milliseconds(what);
    const bool has_replica = relay.phase() != Phase::alone;
    switch (what % 8) {
      case 0:
        if (has_replica && !relay.over() && !scene.lose()) return 0;
        continue;
      case 1:
        if (!has_replica) relay.join_replica();
        continue;
      case 2:
        if (relay.quiet(now)) relay.leave();
        continue;
      case 3:
        if (now >= relay.ping_due() && relay.between_to_client()) relay.ping(now);
        continue;
      default: break;
    }
    const size_t length = std::min<size_t>(take(), input.size());
    const std::span<const char> words(reinterpret_cast<const char*>(input.data()), length);
    input = input.subspan(length);
    if (what % 2 == 0) {
      if (!relay.full()) relay.from_client(words, now);
    } else if (has_replica) {
      relay.from_replica(words, now);
    }
    relay.quiet(now);
  }
  return 0;
}
