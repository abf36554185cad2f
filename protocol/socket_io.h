// The beginning of a Socket.IO packet (protocol 5), as it stands behind Engine.IO's "4": enough to
// know what it is, whose it is and what it is called. What it carries is not read.
// https://github.com/socketio/socket.io-protocol
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace usher::protocol {

enum class SocketIoType : uint8_t {
  connect,
  disconnect,
  event,
  ack,
  connect_error,
  binary_event,
  binary_ack,
};

// Views live in the text that was read.
struct SocketIoPacket {
  SocketIoType type{};
  uint32_t attachments = 0;           // binary messages that follow and belong to it
  std::string_view name_space = "/";  // without its query
  std::optional<uint64_t> ack_id;     // of an event: it wants an answer; of an ack: which it is
  // Of an event: its name as it is written, escapes included. Empty: it has none, or `text` ended
  // before that did.
  std::string_view event;
};

// Longer beginnings are never needed: what does not show by then is no packet of any client.
inline constexpr size_t socket_io_beginning = 256;

// Nothing: it is no Socket.IO packet, or one whose beginning is longer than `text`.
std::optional<SocketIoPacket> read_socket_io(std::string_view text);

}  // namespace usher::protocol
