#include "protocol/websocket.h"

#include <algorithm>
#include <array>

#include "base/random.h"

namespace usher::protocol {
namespace {

constexpr uint8_t opcode_close = 8;
constexpr size_t most_reason = 123;

}  // namespace

size_t FrameTracker::feed_frame(std::span<const char> bytes) {
  size_t used = 0;
  while (used < bytes.size()) {
    if (payload_left_ > 0) {
      const auto step = static_cast<size_t>(std::min<uint64_t>(payload_left_, bytes.size() - used));
      payload_left_ -= step;
      used += step;
    } else {
      feed_header(static_cast<uint8_t>(bytes[used++]));
    }
    if (between_frames()) break;
  }
  return used;
}

void FrameTracker::feed_header(uint8_t byte) {
  if (header_seen_ == 0) {
    first_ = byte;
  } else if (header_seen_ == 1) {
    second_ = byte;
    const uint8_t short_length = byte & 0x7f;
    length_ = short_length < 126 ? short_length : 0;
    header_length_ = static_cast<uint8_t>(2 +
                                          (short_length == 126   ? 2
                                           : short_length == 127 ? 8
                                                                 : 0) +
                                          (byte & 0x80 ? 4 : 0));
  } else {
    const uint8_t extended = (second_ & 0x7f) == 126 ? 2 : (second_ & 0x7f) == 127 ? 8 : 0;
    if (header_seen_ < 2 + extended) length_ = length_ << 8 | byte;
  }
  if (++header_seen_ < header_length_ || header_seen_ < 2) return;
  if ((first_ & 0x0f) == opcode_close) close_seen_ = true;
  payload_left_ = length_;
  header_seen_ = 0;
  header_length_ = 2;
}

std::string make_close_frame(uint16_t code, std::string_view reason, bool masked) {
  reason = reason.substr(0, most_reason);
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  payload += reason;
  std::string frame{static_cast<char>(0x80 | opcode_close),
                    static_cast<char>(payload.size() | (masked ? 0x80 : 0))};
  if (masked) {
    const auto mask = random_bytes<4>();
    frame.append(reinterpret_cast<const char*>(mask.data()), mask.size());
    for (size_t i = 0; i < payload.size(); ++i)
      payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
  }
  return frame + payload;
}

}  // namespace usher::protocol
