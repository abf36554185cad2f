#include "protocol/websocket.h"

#include <algorithm>
#include <array>

#include "base/random.h"

namespace usher::protocol {
namespace {

constexpr size_t mask_size = 4;
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
  if ((first_ & 0x0f) == static_cast<uint8_t>(Opcode::close)) close_seen_ = true;
  payload_left_ = length_;
  header_seen_ = 0;
  header_length_ = 2;
}

std::optional<FrameHeader> read_frame_header(std::span<const char> bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  FrameHeader header{.final = (at(0) & 0x80) != 0,
                     .reserved = static_cast<uint8_t>(at(0) >> 4 & 7),
                     .opcode = static_cast<Opcode>(at(0) & 0x0f),
                     .masked = (at(1) & 0x80) != 0,
                     .size = 0,
                     .payload = at(1) & 0x7fU};
  const size_t extended = header.payload == 126 ? 2 : header.payload == 127 ? 8 : 0;
  header.size = static_cast<uint8_t>(2 + extended + (header.masked ? 4 : 0));
  if (bytes.size() < header.size) return std::nullopt;
  if (extended > 0) header.payload = 0;
  for (size_t i = 0; i < extended; ++i)
    header.payload = header.payload << 8 | at(2 + i);
  return header;
}

size_t read_payload(std::span<const char> frames, std::span<char> out) {
  size_t written = 0;
  while (written < out.size()) {
    const auto header = read_frame_header(frames);
    if (!header) break;
    const auto body = frames.subspan(header->size);
    const auto there = static_cast<size_t>(std::min<uint64_t>(header->payload, body.size()));
    if (!header->control()) {
      const char* const mask = body.data() - mask_size;
      const size_t step = std::min(there, out.size() - written);
      for (size_t i = 0; i < step; ++i)
        out[written + i] =
            header->masked ? static_cast<char>(body[i] ^ mask[i % mask_size]) : body[i];
      written += step;
      if (header->final) break;
    }
    if (there < header->payload) break;
    frames = body.subspan(there);
  }
  return written;
}

uint16_t read_close_code(std::span<const char> frame) {
  constexpr uint16_t no_status = 1005;
  const auto header = read_frame_header(frame);
  if (!header || header->payload < 2 || frame.size() < header->size + 2U) return no_status;
  const char* const body = frame.data() + header->size;
  const char* const mask = body - mask_size;
  const auto at = [&](size_t i) {
    return static_cast<uint8_t>(header->masked ? body[i] ^ mask[i] : body[i]);
  };
  return static_cast<uint16_t>(at(0) << 8 | at(1));
}

std::string make_frame(Opcode opcode, std::string_view payload, bool masked) {
  const auto mask_bit = static_cast<uint8_t>(masked ? 0x80 : 0);
  std::string frame{static_cast<char>(0x80 | static_cast<uint8_t>(opcode))};
  if (payload.size() < 126) {
    frame += static_cast<char>(payload.size() | mask_bit);
  } else {
    const int bytes = payload.size() <= 0xffff ? 2 : 8;
    frame += static_cast<char>((bytes == 2 ? 126 : 127) | mask_bit);
    for (int i = bytes; i-- > 0;)
      frame += static_cast<char>(payload.size() >> (8 * i));
  }
  if (!masked) return frame.append(payload);
  const auto mask = random_bytes<mask_size>();
  frame.append(reinterpret_cast<const char*>(mask.data()), mask.size());
  for (size_t i = 0; i < payload.size(); ++i)
    frame += static_cast<char>(payload[i] ^ mask[i % mask_size]);
  return frame;
}

std::string make_close_frame(uint16_t code, std::string_view reason, bool masked) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  payload += reason.substr(0, most_reason);
  return make_frame(Opcode::close, payload, masked);
}

}  // namespace usher::protocol
