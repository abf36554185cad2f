#include "protocol/packet_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace usher::protocol {
namespace {

using Kind = PacketReader::Kind;

std::string fragment(Opcode opcode, std::string_view payload, bool final) {
  std::string frame = make_frame(opcode, payload, false);
  if (!final) frame[0] = static_cast<char>(frame[0] & 0x7f);
  return frame;
}
std::string text(std::string_view payload) { return make_frame(Opcode::text, payload, false); }
std::string binary(std::string_view payload) { return make_frame(Opcode::binary, payload, false); }

// Everything that comes out, when the bytes come in steps; "!" before what a Close cut short.
std::vector<std::string> cut(std::string_view bytes, size_t step, bool masked = false) {
  PacketReader reader(masked);
  std::vector<std::string> pieces;
  std::string held;
  std::string whole;
  for (size_t i = 0; i < bytes.size(); i += step) {
    held += bytes.substr(i, step);
    while (true) {
      const auto piece = reader.next(held);
      if (piece.kind == Kind::more) break;
      if (piece.kind == Kind::fault) {
        pieces.push_back("fault");
        return pieces;
      }
      const std::string given = held.substr(piece.dropped, piece.size);
      if (piece.dropped > 0) pieces.push_back("!" + held.substr(0, piece.dropped));
      held.erase(0, piece.dropped + piece.size);
      whole += given;
      if (piece.last || piece.closed) pieces.push_back(std::exchange(whole, {}));
    }
  }
  return pieces;
}

TEST(PacketReader, GivesOutWholePacketsHoweverTheBytesArrive) {
  const std::string fragments = fragment(Opcode::text, "42[\"a", false) +
                                make_frame(Opcode::ping, "!", false) +
                                fragment(Opcode::continuation, "\"]", true);
  const std::string event = text("452-[\"file\",{},{}]") + binary("one") + binary("two");
  const std::string unfinished = text("451-[\"file\",{}]");
  const std::vector<std::string> packets{
      text("2"),
      make_frame(Opcode::ping, "", false),
      fragments,
      event,
      binary("alone"),
      text(""),
      unfinished,  // its attachment does not come
      text("3"),
      text(std::string(60'000, 'x')),
      text("42[\"" + std::string(200'000, 'y')),
      text("451-[\"" + std::string(100'000, 'y')) + binary("z"),
      text("452-[\"f\",{}]") + binary(std::string(70'000, 'z')) + binary("z"),
      make_frame(Opcode::close, "", false)};
  std::string bytes;
  for (const std::string& packet : packets)
    bytes += packet;
  for (const size_t step : {size_t{7}, size_t{1000}, size_t{65'536}, bytes.size()}) {
    EXPECT_EQ(cut(bytes, step), packets) << step;
  }
}

TEST(PacketReader, HoldsNothingOfWhatACloseCutsShort) {
  const std::string close = make_frame(Opcode::close, "", false);
  for (const std::string& begun :
       {fragment(Opcode::text, "42[", false), text("452-[\"f\"]") + binary("one")}) {
    EXPECT_EQ(cut(begun + close, 1), (std::vector{"!" + begun, close}));
  }
}

TEST(PacketReader, WaitsWithALongPacketUntilItMayCome) {
  PacketReader reader(false);
  const std::string frame = text("42[\"" + std::string(200'000, 'y'));
  EXPECT_EQ(reader.next(frame, false).kind, Kind::more);
  EXPECT_FALSE(reader.within_long());
  const auto begin = reader.next(std::string_view(frame).substr(0, 1000));
  EXPECT_EQ(begin.kind, Kind::begin);
  EXPECT_TRUE(reader.within_long());
  EXPECT_EQ(begin.size, 1000U);
}

TEST(PacketReader, RefusesWhatNoWebsocketSays) {
  std::string reserved = text("2");
  reserved[0] = static_cast<char>(reserved[0] | 0x40);
  std::string unknown = text("2");
  unknown[0] = static_cast<char>(0x83);
  const std::string cases[] = {
      reserved,
      unknown,
      make_frame(Opcode::text, "2", true),
      fragment(Opcode::continuation, "x", true),
      fragment(Opcode::text, "x", false) + text("y"),
      fragment(Opcode::ping, "x", false),
      make_frame(Opcode::ping, std::string(126, 'x'), false),
  };
  for (const std::string& bytes : cases)
    EXPECT_EQ(cut(bytes, 1).back(), "fault");
  EXPECT_EQ(cut(text("2"), 1, true).back(), "fault");
  EXPECT_EQ(cut(make_frame(Opcode::text, "2", true), 1, true).size(), 1U);
}

}  // namespace
}  // namespace usher::protocol
