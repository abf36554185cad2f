#include "protocol/gzip_encoder.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <string_view>

namespace usher::protocol {
namespace {

using Then = GzipEncoder::Then;

// What a client makes of it.
class Client {
 public:
  Client() { EXPECT_EQ(inflateInit2(&stream_, 15 + 16), Z_OK); }
  ~Client() { inflateEnd(&stream_); }

  void read(std::string_view piece) {
    std::array<char, 4096> buffer;
    std::string copy(piece);
    stream_.next_in = reinterpret_cast<Bytef*>(copy.data());
    stream_.avail_in = static_cast<uInt>(copy.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream_.avail_out = buffer.size();
      const int result = inflate(&stream_, Z_NO_FLUSH);
      text.append(buffer.data(), buffer.size() - stream_.avail_out);
      whole = result == Z_STREAM_END;
      if (result == Z_BUF_ERROR) return;  // nothing more in there
      ASSERT_TRUE(result == Z_OK || whole) << result;
    } while (stream_.avail_out == 0 && !whole);
    EXPECT_FALSE(whole && stream_.avail_in > 0) << "something stands behind the end";
  }

  std::string text;
  bool whole = false;

 private:
  z_stream stream_{};
};

// Returns how many bytes came of it.
size_t pass(GzipEncoder& encoder, Client& client, std::string_view text, Then then,
            size_t room = 16 * 1024) {
  std::string buffer(room, '\0');
  size_t size = 0;
  encoder.feed(text);
  for (auto piece = encoder.next(buffer, then); !piece.empty();
       piece = encoder.next(buffer, then)) {
    EXPECT_LE(piece.size(), room);
    size += piece.size();
    client.read({piece.data(), piece.size()});
  }
  return size;
}

std::string words(size_t size) {
  std::minstd_rand random(7);
  std::string text;
  while (text.size() < size)
    text += "word " + std::to_string(random() % 1000) + (random() % 9 == 0 ? "\n" : ", ");
  text.resize(size);
  return text;
}

std::string noise(size_t size) {
  std::minstd_rand random(7);
  std::string text(size, '\0');
  std::generate(text.begin(), text.end(), [&] { return static_cast<char>(random() >> 8); });
  return text;
}

TEST(GzipEncoder, WhatGoesInComesOut) {
  for (const std::string& text : {std::string(), std::string("a"), words(300), words(200'000),
                                  noise(200'000), std::string(5'000'000, '\0')}) {
    for (const int level : {1, 6, 9}) {
      for (const bool known : {false, true}) {
        GzipEncoder encoder(level, known ? std::optional<uint64_t>(text.size()) : std::nullopt);
        Client client;
        pass(encoder, client, text, Then::more);
        pass(encoder, client, {}, Then::end);
        EXPECT_TRUE(client.whole);
        EXPECT_EQ(client.text.size(), text.size()) << level << known;
        EXPECT_TRUE(client.text == text) << level << known;
      }
    }
  }
}

TEST(GzipEncoder, ABodyOfEachSizeHasAWindowThatDoes) {
  for (uint64_t size = 0; size < 70'000; size = size * 5 / 4 + 1) {
    const std::string text = words(size);
    GzipEncoder encoder(6, size);
    Client client;
    pass(encoder, client, text, Then::end);
    EXPECT_TRUE(client.whole && client.text == text) << size;
  }
}

TEST(GzipEncoder, AFlushGivesEveryByteThatWasFed) {
  for (const bool random : {false, true}) {
    GzipEncoder encoder(6);
    Client client;
    std::string fed;
    for (const size_t size : {1U, 2U, 100U, 70'000U, 3U, 16'384U}) {
      const std::string piece = random ? noise(size) : words(size);
      fed += piece;
      pass(encoder, client, piece, Then::flush);
      EXPECT_TRUE(client.text == fed) << size;
      EXPECT_FALSE(client.whole);
    }
    EXPECT_EQ(pass(encoder, client, {}, Then::flush), 0U) << "there is nothing to flush";
    pass(encoder, client, {}, Then::end);
    EXPECT_TRUE(client.whole && client.text == fed);
    EXPECT_EQ(pass(encoder, client, {}, Then::end), 0U);
  }
}

TEST(GzipEncoder, OutputIsTakenInPiecesOfAnySize) {
  const std::string text = noise(50'000);
  for (const size_t room : {16U, 17U, 1000U, 65'536U}) {
    GzipEncoder encoder(1);
    Client client;
    pass(encoder, client, std::string_view(text).substr(0, 30'000), Then::flush, room);
    EXPECT_EQ(client.text.size(), 30'000U) << room;
    pass(encoder, client, std::string_view(text).substr(30'000), Then::end, room);
    EXPECT_TRUE(client.whole && client.text == text) << room;
  }
}

TEST(GzipEncoder, SmallPiecesAreGatheredUntilAFlush) {
  const std::string text = words(10'000);
  GzipEncoder gathered(6);
  GzipEncoder flushed(6);
  Client of_gathered;
  Client of_flushed;
  size_t gathered_size = 0;
  size_t flushed_size = 0;
  for (size_t at = 0; at < text.size(); at += 10) {
    const auto piece = std::string_view(text).substr(at, 10);
    gathered_size += pass(gathered, of_gathered, piece, Then::more);
    flushed_size += pass(flushed, of_flushed, piece, Then::flush);
  }
  gathered_size += pass(gathered, of_gathered, {}, Then::end);
  EXPECT_TRUE(of_gathered.whole && of_gathered.text == text);
  EXPECT_LT(gathered_size * 2, flushed_size);
}

TEST(GzipEncoder, WhatHasNoEndIsNotWhole) {
  Client client;
  {
    GzipEncoder encoder(6);
    pass(encoder, client, words(1000), Then::flush);
  }
  EXPECT_EQ(client.text.size(), 1000U);
  EXPECT_FALSE(client.whole);
}

}  // namespace
}  // namespace usher::protocol
