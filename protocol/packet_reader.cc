#include "protocol/packet_reader.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "protocol/socket_io.h"

namespace usher::protocol {
namespace {

constexpr size_t longest_control = 125;

// How many attachments the event or ack announces that these frames begin with.
uint32_t attachments_of(std::span<const char> frames) {
  std::array<char, socket_io_beginning> buffer;
  const std::string_view text(buffer.data(), read_payload(frames, buffer));
  if (!text.starts_with('4')) return 0;
  const auto packet = read_socket_io(text.substr(1));
  return packet ? packet->attachments : 0;
}

}  // namespace

bool PacketReader::is_fault(const FrameHeader& header) const {
  if (header.reserved != 0 || header.masked != masked_) return true;
  switch (header.opcode) {
    case Opcode::text:
    case Opcode::binary: return in_message_;
    case Opcode::continuation: return !in_message_;
    case Opcode::close:
    case Opcode::ping:
    case Opcode::pong: return !header.final || header.payload > longest_control;
  }
  return true;
}

PacketReader::Piece PacketReader::take(std::span<const char> bytes, size_t size) {
  const Piece piece{.kind = Kind::packet, .opcode = opcode_, .size = std::min(size, bytes.size())};
  at_ = 0;
  attachments_ = 0;
  return piece;
}

PacketReader::Piece PacketReader::next(std::span<const char> bytes, bool long_ones) {
  if (within_long()) return bytes.empty() ? Piece{} : follow(bytes, Kind::rest);
  while (at_ < bytes.size()) {
    const auto header = read_frame_header(bytes.subspan(at_));
    if (!header) return {};
    if (is_fault(*header)) return {.kind = Kind::fault};
    const size_t body = bytes.size() - at_ - header->size;
    const bool whole = header->payload <= body;
    const size_t end = whole ? at_ + header->size + static_cast<size_t>(header->payload) : 0;

    if (header->control()) {
      if (!whole) return {};
      if (at_ == 0 || header->opcode == Opcode::close) {
        const Piece piece{
            .kind = Kind::control, .opcode = header->opcode, .dropped = at_, .size = end - at_};
        if (at_ > 0) start_over();
        return piece;
      }
      at_ = end;
      continue;
    }
    const bool begins = !in_message_;
    // What should be an attachment and is none ends the packet before it: the receiver will say
    // what it thinks of that.
    if (begins && at_ > 0 && header->opcode != Opcode::binary) return take(bytes, at_);
    if (begins && at_ == 0) opcode_ = header->opcode;
    if (header->payload > longest_whole || at_ + header->size + header->payload > longest_whole) {
      return long_ones ? begin_long(bytes, body) : Piece{};
    }
    if (!whole) return {};
    const bool first = attachments_ == 0;  // the packet's first message
    at_ = end;
    in_message_ = !header->final;
    if (in_message_) continue;
    if (!first) {
      --attachments_;
    } else if (opcode_ == Opcode::text) {
      attachments_ = attachments_of(bytes.first(at_));
    }
    if (attachments_ == 0) return take(bytes, at_);
  }
  return {};
}

// Not before so much of it is there that one can tell what it is.
PacketReader::Piece PacketReader::begin_long(std::span<const char> bytes, size_t available) {
  if (at_ == 0 && available < socket_io_beginning) return {};
  left_ = 1 + (opcode_ == Opcode::text ? attachments_of(bytes) : 0);
  at_ = 0;
  attachments_ = 0;
  in_message_ = false;
  long_ = FrameTracker();
  return follow(bytes, Kind::begin);
}

PacketReader::Piece PacketReader::follow(std::span<const char> bytes, Kind kind) {
  size_t used = 0;
  while (used < bytes.size() && left_ > 0) {
    used += long_.feed_frame(bytes.subspan(used));
    if (!long_.between_frames()) break;
    if (long_.message_ended()) --left_;
    if (long_.close_seen()) break;
  }
  return {.kind = kind,
          .opcode = opcode_,
          .size = used,
          .last = left_ == 0,
          .closed = long_.close_seen()};
}

}  // namespace usher::protocol
