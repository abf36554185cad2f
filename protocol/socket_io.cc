#include "protocol/socket_io.h"

#include "base/strings.h"

namespace usher::protocol {
namespace {

// Nobody sends more with one event; a larger number is an attempt to make us wait.
constexpr uint32_t most_attachments = 1000;

size_t count_digits(std::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits]))
    ++digits;
  return digits;
}

bool has_attachments(SocketIoType type) {
  return type == SocketIoType::binary_event || type == SocketIoType::binary_ack;
}

// The string at the beginning of `["name",…`.
std::string_view name_of_event(std::string_view text) {
  if (!text.starts_with("[\"")) return {};
  text.remove_prefix(2);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return text.substr(0, i);
    }
  }
  return {};
}

}  // namespace

std::optional<SocketIoPacket> read_socket_io(std::string_view text) {
  if (text.empty() || text.front() < '0' || text.front() > '6') return std::nullopt;
  SocketIoPacket packet;
  packet.type = static_cast<SocketIoType>(text.front() - '0');
  text.remove_prefix(1);

  if (has_attachments(packet.type)) {
    const size_t digits = count_digits(text);
    if (digits == text.size() || text[digits] != '-') return std::nullopt;
    const auto attachments = parse_decimal<uint32_t>(text.substr(0, digits));
    if (!attachments || *attachments > most_attachments) return std::nullopt;
    packet.attachments = *attachments;
    text.remove_prefix(digits + 1);
  }
  if (text.starts_with('/')) {
    const size_t comma = text.find(',');
    // A packet without a payload may end with its namespace.
    if (comma == std::string_view::npos && text.size() >= socket_io_beginning / 2) {
      return std::nullopt;
    }
    packet.name_space = text.substr(0, comma);
    packet.name_space = packet.name_space.substr(0, packet.name_space.find('?'));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  if (const size_t digits = count_digits(text); digits > 0) {
    packet.ack_id = parse_decimal<uint64_t>(text.substr(0, digits));
    if (!packet.ack_id) return std::nullopt;
    text.remove_prefix(digits);
  }
  if (packet.type == SocketIoType::event || packet.type == SocketIoType::binary_event) {
    packet.event = name_of_event(text);
  }
  return packet;
}

}  // namespace usher::protocol
