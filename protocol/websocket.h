// What a relay must know of websocket frames (RFC 6455 section 5.2): where they begin and end, so
// that a frame of our own never lands inside one; how to read the beginning of what they carry, and
// how to make one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace usher::protocol {

enum class Opcode : uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

struct FrameHeader {
  bool final = false;
  uint8_t reserved = 0;  // RSV1 to RSV3: 0 where no extension is negotiated
  Opcode opcode{};       // may be one that the RFC does not know
  bool masked = false;
  uint8_t size = 0;  // bytes of the header itself, the mask included
  uint64_t payload = 0;

  bool control() const { return static_cast<uint8_t>(opcode) >= 8; }
};
// The header at the beginning of `bytes`; nothing when they end within it.
std::optional<FrameHeader> read_frame_header(std::span<const char> bytes);

// The payload of the first message in `frames`, unmasked, as far as it is there and `out` has room:
// control frames in between are skipped. Returns how many bytes were written to `out`.
size_t read_payload(std::span<const char> frames, std::span<char> out);

// The status code of a whole Close frame; 1005 where it says none (section 7.1.5).
uint16_t read_close_code(std::span<const char> frame);

// Follows one direction of a websocket.
class FrameTracker final {
 public:
  void feed(std::span<const char> bytes) {
    while (!bytes.empty())
      bytes = bytes.subspan(feed_frame(bytes));
  }
  // The same up to the end of the frame that the first byte is in. Returns how many bytes that was.
  size_t feed_frame(std::span<const char> bytes);
  // The bytes fed so far end with a whole frame (or there were none).
  bool between_frames() const { return header_seen_ == 0 && payload_left_ == 0; }
  // A Close frame has gone by: nothing may follow it (section 5.5.1).
  bool close_seen() const { return close_seen_; }
  // Between frames: the last one was the last of its message, and no control frame.
  bool message_ended() const { return (first_ & 0x88) == 0x80; }

 private:
  void feed_header(uint8_t byte);

  uint64_t payload_left_ = 0;
  uint64_t length_ = 0;
  uint8_t header_seen_ = 0;    // bytes of the current frame's header so far
  uint8_t header_length_ = 2;  // known after the second byte
  uint8_t first_ = 0;
  uint8_t second_ = 0;
  bool close_seen_ = false;
};

// A frame that is a whole message, or a control frame. The mask of a masked one is unpredictable
// (section 5.3).
std::string make_frame(Opcode opcode, std::string_view payload, bool masked);
// A Close frame; masked as a client must (section 5.3) if `masked`. `reason` of at most 123 bytes.
std::string make_close_frame(uint16_t code, std::string_view reason, bool masked);

}  // namespace usher::protocol
