#include "routing/redis/resp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace usher::routing::redis {
namespace {

std::string shown(const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::nil: return "nil";
    case Reply::Kind::integer: return std::to_string(reply.integer);
    case Reply::Kind::text: return "'" + reply.text + "'";
    case Reply::Kind::refusal: return "!" + reply.text;
    case Reply::Kind::array: break;
  }
  std::string all = "[";
  for (const Reply& element : reply.array)
    all.append(shown(element)).append(" ");
  return all + "]";
}

// Every reply in the bytes, shown; "…" when the last is not whole, "broken" when the rest is of no
// use.
std::string read(ReplyReader& reader, std::string_view bytes) {
  std::string all;
  reader.feed(bytes);
  while (true) {
    auto reply = reader.next();
    if (!reply) return all + "broken";
    if (!*reply) return all;
    all.append(shown(**reply)).append(" ");
  }
}

TEST(FormatCommand, IsAnArrayOfBulkStrings) {
  const std::string_view words[] = {"SET", "k", std::string_view("\0\r\n", 3), ""};
  EXPECT_EQ(format_command(words),
            std::string("*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\0\r\n\r\n$0\r\n\r\n", 35));
}

struct ReplyRow {
  std::string bytes;
  const char* shown;
};

TEST(ReplyReader, ReadsWhatItsTableSays) {
  const ReplyRow rows[] = {
      {"+OK\r\n", "'OK' "},
      {"-ERR no\r\n", "!ERR no "},
      {":-7\r\n:9223372036854775807\r\n", "-7 9223372036854775807 "},
      {"$3\r\nabc\r\n$0\r\n\r\n$-1\r\n", "'abc' '' nil "},
      {"*0\r\n*-1\r\n", "[] nil "},
      {"*2\r\n*1\r\n:1\r\n-no\r\n", "[[1 ] !no ] "},
      {"*3\r\n$-1\r\n*0\r\n+x\r\n", "[nil [] 'x' ] "},
      {"$3\r\nab", ""},
      {"*2\r\n:1\r\n", ""},
      {"", ""},
      {"+OK\r\nhello\r\n", "'OK' broken"},
      {"HTTP/1.1 400 Bad Request\r\n", "broken"},
      {"$-2\r\n", "broken"},
      {"$x\r\n", "broken"},
      {"*-2\r\n", "broken"},
      {"*99999999999\r\n", "broken"},
      {"*16384\r\n", ""},
      {"*16385\r\n", "broken"},
      {"$1048577\r\n" + std::string(1048577, 'x') + "\r\n", "broken"},
  };
  for (const ReplyRow& row : rows) {
    ReplyReader reader;
    EXPECT_EQ(read(reader, row.bytes), row.shown) << row.bytes.substr(0, 60);
  }
}

TEST(ReplyReader, ReadsByteByByteWhatItReadsAtOnce) {
  const std::string bytes = "*3\r\n$5\r\nhello\r\n:12\r\n*1\r\n+OK\r\n-ERR x\r\n$-1\r\n";
  ReplyReader reader;
  std::string all;
  for (const char& byte : bytes)
    all += read(reader, {&byte, 1});
  EXPECT_EQ(all, "['hello' 12 ['OK' ] ] !ERR x nil ");
}

TEST(ReplyReader, GivesUpOnAReplyThatNeverEnds) {
  ReplyReader reader;
  EXPECT_EQ(read(reader, "$1000000000\r\n"), "");
  const std::string piece(64 * 1024, 'x');
  size_t fed = 0;
  while (read(reader, piece) != "broken") {
    fed += piece.size();
    ASSERT_LE(fed, 2 * ReplyReader::most_bytes);
  }
}

TEST(ReplyReader, DoesNotLetSmallHeadersMakeManyElements) {
  ReplyReader reader;
  std::string bytes = "*16000\r\n";
  for (int i = 0; i < 16000; ++i)
    bytes += "*16000\r\n";
  EXPECT_EQ(read(reader, bytes), "broken");
}

TEST(ReplyReader, DoesNotLetManyStringsMakeOneLongReply) {
  ReplyReader reader;
  std::string bytes = "*100\r\n";
  for (int i = 0; i < 100; ++i)
    bytes += "$20000\r\n" + std::string(20000, 'x') + "\r\n";
  EXPECT_EQ(read(reader, bytes), "broken");
}

TEST(ReplyReader, RefusesNestingThatIsTooDeep) {
  ReplyReader reader;
  std::string bytes;
  for (int i = 0; i < 100; ++i)
    bytes += "*1\r\n";
  EXPECT_EQ(read(reader, bytes), "broken");
}

// hiredis 1.x reads these, by functions that it calls without a look whether they are there.
TEST(ReplyReader, RefusesEveryTypeOfResp3WhereverItStands) {
  struct Row {
    const char* bytes;
    const char* name;
  };
  const Row rows[] = {
      {",1.5\r\n", "a double"},
      {",inf\r\n", "a double"},
      {",nan\r\n", "a double"},
      {"#t\r\n", "a boolean"},
      {"#f\r\n", "a boolean"},
      {"_\r\n", "a null"},
      {"%1\r\n+key\r\n+value\r\n", "a map"},
      {"%0\r\n", "a map"},
      {"~1\r\n+member\r\n", "a set"},
      {">2\r\n+invalidate\r\n*0\r\n", "a push message"},
      {"(3492890328409238509324850943850943825024385\r\n", "a big number"},
      {"=5\r\ntxt:x\r\n", "a verbatim string"},
      {"|1\r\n+ttl\r\n:1\r\n+OK\r\n", "\"|\""},
  };
  for (const Row& row : rows) {
    for (const std::string before : {"", "+OK\r\n", "*2\r\n", "*2\r\n:1\r\n", "*1\r\n*1\r\n"}) {
      SCOPED_TRACE(before + row.bytes);
      ReplyReader reader;
      EXPECT_THAT(read(reader, before + row.bytes), testing::EndsWith("broken"));
      ReplyReader again;
      const std::string bytes = before + row.bytes;
      Result<std::optional<Reply>> last = std::optional<Reply>();
      for (const char& byte : bytes) {
        again.feed({&byte, 1});
        last = again.next();
        if (!last) break;
      }
      ASSERT_FALSE(last) << "fed byte by byte";
      // hiredis 0.14 knows none of them and names the byte.
      EXPECT_THAT(last.error().detail,
                  testing::AnyOf(testing::HasSubstr(std::string(row.name) + " of RESP3"),
                                 testing::HasSubstr("reply type byte")));
    }
  }
}

TEST(ReplyReader, SaysWhyItRefuses) {
  const auto reason = [](std::string_view bytes) {
    ReplyReader reader;
    reader.feed(bytes);
    const auto reply = reader.next();
    return reply ? std::string() : reply.error().detail;
  };
  EXPECT_EQ(reason("*16385\r\n"), "bad reply: too long");
  EXPECT_EQ(reason("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"), "");
  EXPECT_THAT(reason("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
              testing::AnyOf("bad reply: nested too deep",
                             testing::HasSubstr("nested multi bulk replies")));
}

TEST(ReplyReader, ReadsMoreRepliesThanItMayHoldInOne) {
  ReplyReader reader;
  const std::string reply = "$1000\r\n" + std::string(1000, 'x') + "\r\n";
  for (int i = 0; i < 5000; ++i)
    ASSERT_EQ(read(reader, reply).size(), 1003u);
}

}  // namespace
}  // namespace usher::routing::redis
