// The packets of Engine.IO and Socket.IO: whatever the text, what is read lies within it; a longer
// text does not change what was read; and the sid of an open packet is the same however it is cut.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "protocol/engine_io.h"
#include "protocol/socket_io.h"

namespace {

using namespace usher::protocol;

bool within(std::string_view part, std::string_view text) {
  if (part.empty() || part == "/") return true;
  return part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto packet = read_socket_io(text)) {
    if (!within(packet->name_space, text) || !within(packet->event, text)) std::abort();
    const auto beginning = read_socket_io(text.substr(0, socket_io_beginning));
    const bool known = beginning && !beginning->event.empty();
    if (known && (beginning->event != packet->event || beginning->ack_id != packet->ack_id)) {
      std::abort();
    }
  }
  if (const auto heartbeat = read_heartbeat(text)) {
    if (heartbeat->interval <= usher::Duration(0)) std::abort();
  }
  OpenPacketReader at_once;
  at_once.feed({text.data(), text.size()});
  OpenPacketReader in_pieces;
  const size_t step = size % 5 + 1;
  for (size_t i = 0; i < size; i += step) {
    in_pieces.feed({text.data() + i, std::min(step, size - i)});
  }
  if (size > 0 && (at_once.state() != in_pieces.state() || at_once.sid() != in_pieces.sid())) {
    std::abort();
  }
  return 0;
}
