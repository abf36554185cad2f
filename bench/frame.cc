#include "bench/frame.h"

#include "bench/fail.h"

namespace usher::bench {

namespace {

constexpr uint8_t kWholeText = 0x81;
constexpr uint8_t kMasked = 0x80;
constexpr std::string_view kMask = "\x37\xfa\x21\x3d";

uint8_t byte_at(const std::string& bytes, size_t index) {
  return static_cast<uint8_t>(bytes[index]);
}

}  // namespace

std::optional<std::string_view> take_message(std::string& bytes, size_t& offset) {
  size_t there = bytes.size() - offset;
  if (there < 2) return {};
  if (byte_at(bytes, offset) != kWholeText) fail("a websocket frame that is not a whole text");
  bool masked = (byte_at(bytes, offset + 1) & kMasked) != 0;
  size_t length = byte_at(bytes, offset + 1) & 0x7fU;
  size_t head = 2;
  if (length == 127) fail("a websocket message beyond 64 KiB");
  if (length == 126) {
    if (there < 4) return {};
    length = static_cast<size_t>(byte_at(bytes, offset + 2) << 8 | byte_at(bytes, offset + 3));
    head = 4;
  }
  size_t mask = offset + head;
  if (masked) head += kMask.size();
  if (there < head + length) return {};
  char* payload = bytes.data() + offset + head;
  if (masked) {
    for (size_t i = 0; i < length; ++i) {
      payload[i] = static_cast<char>(payload[i] ^ bytes[mask + i % 4]);
    }
  }
  offset += head + length;
  return std::string_view(payload, length);
}

void append_message(std::string& out, std::string_view payload, bool masked) {
  auto flag = static_cast<uint8_t>(masked ? kMasked : 0);
  out += static_cast<char>(kWholeText);
  if (payload.size() < 126) {
    out += static_cast<char>(flag | payload.size());
  } else {
    out += static_cast<char>(flag | 126U);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size() & 0xffU);
  }
  if (!masked) {
    out += payload;
    return;
  }
  out += kMask;
  for (size_t i = 0; i < payload.size(); ++i) {
    out += static_cast<char>(payload[i] ^ kMask[i % 4]);
  }
}

}  // namespace usher::bench
