// A websocket's bytes through the FrameTracker: it must believe the same however they are cut, and
// agree with a reader that has the whole of them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "protocol/websocket.h"

namespace {

using usher::protocol::FrameTracker;

struct Belief {
  bool between;
  bool close_seen;
  friend bool operator==(const Belief&, const Belief&) = default;
};

Belief belief_of(const FrameTracker& tracker) {
  return {tracker.between_frames(), tracker.close_seen()};
}

// RFC 6455 section 5.2, read from the beginning with everything at hand.
Belief by_the_book(std::span<const uint8_t> bytes) {
  Belief belief{true, false};
  while (!bytes.empty()) {
    if (bytes.size() < 2) return {false, belief.close_seen};
    uint64_t length = bytes[1] & 0x7f;
    const size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    const size_t header = 2 + extended + (bytes[1] & 0x80 ? 4 : 0);
    if (bytes.size() < header) return {false, belief.close_seen};
    if (extended > 0) {
      length = 0;
      for (size_t i = 0; i < extended; ++i)
        length = length << 8 | bytes[2 + i];
    }
    belief.close_seen |= (bytes[0] & 0x0f) == 8;
    bytes = bytes.subspan(header);
    if (bytes.size() < length) return {false, belief.close_seen};
    bytes = bytes.subspan(static_cast<size_t>(length));
  }
  return belief;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t step = data[0] % 7 + 1;
  const std::span<const uint8_t> bytes(data + 1, size - 1);
  const auto* text = reinterpret_cast<const char*>(bytes.data());

  FrameTracker at_once;
  at_once.feed({text, bytes.size()});
  FrameTracker in_pieces;
  for (size_t i = 0; i < bytes.size(); i += step) {
    in_pieces.feed({text + i, std::min(step, bytes.size() - i)});
  }
  if (belief_of(at_once) != belief_of(in_pieces)) std::abort();
  FrameTracker by_frames;
  for (auto rest = std::span(text, bytes.size()); !rest.empty();) {
    const size_t used = by_frames.feed_frame(rest);
    if (used == 0 || (used < rest.size() && !by_frames.between_frames())) std::abort();
    rest = rest.subspan(used);
  }
  if (belief_of(at_once) != belief_of(by_frames)) std::abort();
  if (belief_of(at_once) != by_the_book(bytes)) std::abort();
  return 0;
}
