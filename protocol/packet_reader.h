// Cuts one direction of a Socket.IO websocket into what must not be torn: control frames, and
// packets (a message with all its fragments, and an event together with its attachments). So a
// relay that passes on whole packets only can change its other end between any two of them. A
// packet that is too long to be kept comes in pieces.
#pragma once

#include <cstdint>
#include <span>

#include "protocol/websocket.h"

namespace usher::protocol {

class PacketReader final {
 public:
  // Bytes of a packet, frame headers included, that are waited for.
  static constexpr size_t longest_whole = 64 * 1024;

  enum class Kind : uint8_t {
    more,     // the bytes end within a packet: come again with these and more behind them
    control,  // one control frame
    packet,   // a whole packet
    begin,    // the beginning of a long one, and as much of it as there is
    rest,     // more of a long one
    fault,    // no websocket without extensions goes on like this (RFC 6455 section 5)
  };
  struct Piece {
    Kind kind = Kind::more;
    Opcode opcode = Opcode::text;  // control: its own; packet, begin: of the first message
    size_t dropped = 0;            // bytes before it: of a packet that a Close has cut short
    size_t size = 0;               // bytes that it has, behind those
    bool last = true;              // begin, rest: the long packet ends with this piece
    bool closed = false;           // begin, rest: a Close has come within it; nothing follows
  };

  // `masked`: a client sends here (section 5.1).
  explicit PacketReader(bool masked) : masked_(masked) {}

  // `bytes` begin where the last piece ended. With `long_ones` false, a long packet that has not
  // begun is "more", however many bytes there are.
  Piece next(std::span<const char> bytes, bool long_ones = true);
  // A long packet has begun and not ended.
  bool within_long() const { return left_ > 0; }
  // Another sender stands at this direction's beginning.
  void start_over() { *this = PacketReader(masked_); }

 private:
  bool is_fault(const FrameHeader& header) const;
  Piece begin_long(std::span<const char> bytes, size_t available);
  Piece follow(std::span<const char> bytes, Kind kind);
  Piece take(std::span<const char> bytes, size_t size);

  FrameTracker long_;         // follows a long packet's frames
  size_t at_ = 0;             // bytes of the packet that have been looked at: whole frames
  uint32_t left_ = 0;         // messages of the long packet that are not yet through
  uint32_t attachments_ = 0;  // that belong to the packet and are not yet seen
  Opcode opcode_ = Opcode::text;
  bool in_message_ = false;
  bool masked_;
};

}  // namespace usher::protocol
