#include "protocol/websocket.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace usher::protocol {
namespace {

// A frame by the book (RFC 6455 section 5.2).
std::string frame(uint8_t first, uint64_t length, bool masked) {
  std::string made{static_cast<char>(first)};
  const uint8_t mask_bit = masked ? 0x80 : 0;
  if (length < 126) {
    made += static_cast<char>(length | mask_bit);
  } else if (length <= 0xffff) {
    made += static_cast<char>(126 | mask_bit);
    for (int shift = 8; shift >= 0; shift -= 8)
      made += static_cast<char>(length >> shift);
  } else {
    made += static_cast<char>(127 | mask_bit);
    for (int shift = 56; shift >= 0; shift -= 8)
      made += static_cast<char>(length >> shift);
  }
  if (masked) made += "mask";
  made.append(length, 'x');
  return made;
}

constexpr uint8_t final_text = 0x81;
constexpr uint8_t final_close = 0x88;

TEST(FrameTracker, KnowsEveryFrameBoundaryHoweverTheBytesArrive) {
  for (const bool masked : {false, true}) {
    for (const uint64_t length : {0, 1, 125, 126, 127, 65'535, 65'536, 70'000}) {
      const std::string bytes = frame(final_text, length, masked);
      FrameTracker at_once;
      at_once.feed(bytes + bytes);
      EXPECT_TRUE(at_once.between_frames()) << length;

      FrameTracker byte_by_byte;
      EXPECT_TRUE(byte_by_byte.between_frames());
      for (size_t i = 0; i < bytes.size(); ++i) {
        byte_by_byte.feed({&bytes[i], 1});
        EXPECT_EQ(byte_by_byte.between_frames(), i + 1 == bytes.size()) << length << " at " << i;
      }
    }
  }
}

TEST(FrameTracker, FindsTheNextFrameBehindALongOne) {
  const std::string first = frame(final_text, 66'000, true);
  const std::string second = frame(final_text, 10, false);
  FrameTracker tracker;
  tracker.feed(first + second.substr(0, 5));
  EXPECT_FALSE(tracker.between_frames());
  tracker.feed(second.substr(5));
  EXPECT_TRUE(tracker.between_frames());
}

TEST(FrameTracker, StopsAtTheEndOfAFrame) {
  const std::string first = frame(final_text, 200, true);
  const std::string empty = frame(0x89, 0, false);
  const std::string bytes = first + empty + first;
  for (const size_t step : {size_t{1}, size_t{3}, size_t{100}, bytes.size()}) {
    FrameTracker tracker;
    std::vector<size_t> ends;
    for (size_t at = 0; at < bytes.size();) {
      const size_t used =
          tracker.feed_frame(std::span(bytes).subspan(at).first(std::min(step, bytes.size() - at)));
      ASSERT_GT(used, 0U);
      at += used;
      if (tracker.between_frames()) ends.push_back(at);
    }
    EXPECT_EQ(ends, (std::vector{first.size(), first.size() + empty.size(), bytes.size()})) << step;
  }
  FrameTracker nothing;
  EXPECT_EQ(nothing.feed_frame({}), 0U);
}

TEST(FrameTracker, SeesACloseAndNothingElseForOne) {
  FrameTracker tracker;
  tracker.feed(frame(final_text, 3, true) + frame(0x89, 0, true) + frame(0x8a, 0, true));
  EXPECT_FALSE(tracker.close_seen());
  tracker.feed(frame(final_close, 2, true));
  EXPECT_TRUE(tracker.close_seen());
}

TEST(CloseFrame, CarriesCodeAndReason) {
  EXPECT_EQ(make_close_frame(1001, "", false), std::string("\x88\x02\x03\xe9", 4));
  EXPECT_EQ(make_close_frame(1012, "restart", false), std::string("\x88\x09\x03\xf4restart", 11));
}

TEST(CloseFrame, OfAClientIsMasked) {
  const std::string made = make_close_frame(1001, "", true);
  ASSERT_EQ(made.size(), 8U);
  EXPECT_EQ(static_cast<uint8_t>(made[1]), 0x82);
  EXPECT_EQ(static_cast<uint8_t>(made[6] ^ made[2]), 0x03);
  EXPECT_EQ(static_cast<uint8_t>(made[7] ^ made[3]), 0xe9);
}

TEST(CloseFrame, IsAWholeControlFrameHoweverLongTheReason) {
  for (const size_t length : {0, 100, 123, 124, 5000}) {
    const std::string made = make_close_frame(1001, std::string(length, 'r'), true);
    FrameTracker tracker;
    tracker.feed(made);
    EXPECT_TRUE(tracker.between_frames());
    EXPECT_TRUE(tracker.close_seen());
    EXPECT_LE(made.size(), 2U + 4U + 125U);
  }
}

}  // namespace
}  // namespace usher::protocol
