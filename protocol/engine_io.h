// What usher reads of Engine.IO (protocol 4, and the length prefix of protocol 3): the session id
// in a request's query and in the body that answers a polling handshake.
// https://github.com/socketio/engine.io-protocol
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "protocol/message.h"

namespace usher::protocol {

// A sid as servers make them: 1 to 64 characters of base64url and the like; anything else is no
// sid.
bool is_plausible_sid(std::string_view sid);

// The `sid` parameter, if it is plausible.
std::optional<std::string_view> sid_of_query(std::string_view query);

// A GET with transport=polling and without sid: its response's body will name a new session.
bool is_polling_handshake(const RequestHead& head);

// A GET with transport=websocket, whether or not it carries a websocket's opening handshake.
bool asks_for_websocket(const RequestHead& head);

// A GET that opens a session of protocol 4 by websocket at once: with transport=websocket and
// EIO=4, and without the sid of a session that began otherwise.
bool opens_by_websocket(const RequestHead& head);

// How often a server pings, and how long an answer may take.
struct Heartbeat {
  Duration interval{0};
  Duration timeout{0};
};
// From protocol 4's open packet `0{…,"pingInterval":25000,"pingTimeout":20000,…}`.
std::optional<Heartbeat> read_heartbeat(std::string_view open_packet);

// Reads the sid from the open packet `0{"sid":"…",…}` at the start of a response body that arrives
// in pieces. Bounded: gives up after 4 KiB.
class OpenPacketReader final {
 public:
  enum class State : uint8_t { reading, found, not_an_open_packet };
  State feed(std::span<const char> piece);
  State state() const { return state_; }
  const std::string& sid() const { return sid_; }

 private:
  static constexpr size_t limit = 4096;
  State state_ = State::reading;
  std::string seen_;
  std::string sid_;
};

}  // namespace usher::protocol
