// What a relay must know of websocket frames (RFC 6455 section 5.2): where they begin and end, so
// that a Close of our own never lands inside one. Payloads are neither unmasked nor kept.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace usher::protocol {

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

// A Close frame; masked as a client must (section 5.3) if `masked`. `reason` of at most 123 bytes.
std::string make_close_frame(uint16_t code, std::string_view reason, bool masked);

}  // namespace usher::protocol
