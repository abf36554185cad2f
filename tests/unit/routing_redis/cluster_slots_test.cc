// Which slot a key has, which master a slot, and what members say of both.

#include "routing/redis/cluster_slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "routing/redis/resp.h"
#include "routing/redis/sentinel_finder.h"

namespace usher::routing::redis {
namespace {

using testing::HasSubstr;

Reply reply_of(std::string_view bytes) {
  ReplyReader reader;
  reader.feed(bytes);
  auto reply = reader.next();
  EXPECT_TRUE(reply && *reply) << bytes;
  return **reply;
}

std::string server_of(const SlotMap& map, uint16_t slot) {
  const auto* master = map.master_of(slot);
  return master ? name_of(*master) : "nobody";
}

TEST(SlotOf, IsWhatTheServersSay) {
  // As CLUSTER KEYSLOT of redis-server 7.0 answers.
  EXPECT_EQ(slot_of("123456789"), 0x31c3 % slot_count);  // the check value of CRC-16/XMODEM
  EXPECT_EQ(slot_of(""), 0);
  EXPECT_EQ(slot_of("foo"), 12182);
  EXPECT_EQ(slot_of("somekey"), 11058);
  EXPECT_EQ(slot_of("foo{hash_tag}"), 2515);
  EXPECT_EQ(slot_of("bar{hash_tag}"), 2515);
}

TEST(SlotOf, CountsTheFirstTagThatIsNotEmpty) {
  EXPECT_EQ(slot_of("{user1000}.following"), slot_of("user1000"));
  EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
  EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
  // Nothing between the braces, or no end: the whole key.
  EXPECT_NE(slot_of("foo{}{bar}"), slot_of("bar"));
  EXPECT_NE(slot_of("foo{}{bar}"), slot_of("foo{}{baz}"));
  EXPECT_NE(slot_of("foo{bar"), slot_of("baz{bar"));
}

TEST(ASlotMap, ReadsWhatAClusterAnswers) {
  const auto map = SlotMap::parse(
      reply_of("*2\r\n"
               "*4\r\n:0\r\n:8191\r\n*4\r\n$8\r\n10.0.0.1\r\n:7000\r\n$2\r\nid\r\n*0\r\n"
               "*3\r\n$8\r\n10.0.0.9\r\n:7001\r\n$2\r\nid\r\n"
               "*3\r\n:8192\r\n:16383\r\n*2\r\n$3\r\n::1\r\n:7002\r\n"),
      "asked");
  ASSERT_TRUE(map) << map.error().detail;
  EXPECT_TRUE(map->complete());
  EXPECT_EQ(server_of(*map, 0), "10.0.0.1:7000");
  EXPECT_EQ(server_of(*map, 8191), "10.0.0.1:7000");
  EXPECT_EQ(server_of(*map, 8192), "[::1]:7002");
  EXPECT_EQ(server_of(*map, 16383), "[::1]:7002");
  EXPECT_EQ(map->masters().size(), 2u);
}

TEST(ASlotMap, TakesTheHostThatWasAskedForOneThatNamesNone) {
  for (const char* host : {"$-1\r\n", "$0\r\n\r\n"}) {
    const std::string range = std::string("*1\r\n*3\r\n:5\r\n:6\r\n*2\r\n") + host + ":7000\r\n";
    const auto map = SlotMap::parse(reply_of(range), "asked.example");
    ASSERT_TRUE(map);
    EXPECT_EQ(server_of(*map, 5), "asked.example:7000");
    EXPECT_EQ(server_of(*map, 7), "nobody");
    EXPECT_FALSE(map->complete());
  }
}

TEST(ASlotMap, FollowsASlotThatMoves) {
  SlotMap map;
  EXPECT_EQ(server_of(map, 7), "nobody");
  EXPECT_TRUE(map.assign(7, {"a", 1, {}}));
  EXPECT_TRUE(map.assign(8, {"b", 1, {}}));
  EXPECT_TRUE(map.assign(7, {"b", 1, {}}));
  EXPECT_EQ(server_of(map, 7), "b:1");
  EXPECT_EQ(map.masters().size(), 2u);
}

TEST(ASlotMap, KnowsOnlySoManyMasters) {
  SlotMap map;
  for (uint16_t i = 0; i < SlotMap::most_masters; ++i)
    ASSERT_TRUE(map.assign(i, {"a", static_cast<uint16_t>(1 + i), {}}));
  EXPECT_FALSE(map.assign(2000, {"b", 1, {}}));
  EXPECT_EQ(server_of(map, 2000), "nobody");
}

TEST(ASlotMap, RefusesTheRest) {
  for (const char* bytes :
       {"*0\r\n", "+OK\r\n", "$-1\r\n", "*1\r\n:1\r\n", "*1\r\n*2\r\n:0\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n:2\r\n", "*1\r\n*3\r\n:9\r\n:8\r\n*2\r\n$1\r\na\r\n:7000\r\n",
        "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:7000\r\n",
        "*1\r\n*3\r\n:-1\r\n:8\r\n*2\r\n$1\r\na\r\n:7000\r\n",
        "*1\r\n*3\r\n:0\r\n:8\r\n*2\r\n$1\r\na\r\n:0\r\n",
        "*1\r\n*3\r\n:0\r\n:8\r\n*2\r\n$1\r\na\r\n:70000\r\n",
        "*1\r\n*3\r\n:0\r\n:8\r\n*2\r\n$3\r\na b\r\n:7000\r\n",
        "*1\r\n*3\r\n:0\r\n:8\r\n*2\r\n$1\r\n?\r\n:7000\r\n",
        "*1\r\n*3\r\n$1\r\n0\r\n:8\r\n*2\r\n$1\r\na\r\n:7000\r\n"}) {
    EXPECT_FALSE(SlotMap::parse(reply_of(bytes), "asked")) << bytes;
  }
}

TEST(ARedirection, IsReadFromARefusal) {
  const auto moved = parse_redirection("MOVED 3999 127.0.0.1:6381", "asked");
  ASSERT_TRUE(moved);
  EXPECT_FALSE(moved->ask);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(name_of(moved->target), "127.0.0.1:6381");
  EXPECT_TRUE(parse_redirection("ASK 0 host.example:1", "asked")->ask);
  EXPECT_EQ(name_of(parse_redirection("MOVED 1 ::1:6381", "asked")->target), "[::1]:6381");
  EXPECT_EQ(name_of(parse_redirection("MOVED 1 :6381", "asked")->target), "asked:6381");
  for (const char* text :
       {"", "MOVED", "MOVED 1", "MOVED x a:1", "MOVED 16384 a:1", "MOVED 1 a", "MOVED 1 a:0",
        "MOVED 1 a:70000", "MOVED 1 a b:1", "MOVED -1 a:1", "ASKING 1 a:1", "ERR MOVED 1 a:1"}) {
    EXPECT_FALSE(parse_redirection(text, "asked")) << text;
  }
}

TEST(AMaster, IsReadFromASentinelsAnswer) {
  const auto master = parse_master(reply_of("*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n"));
  ASSERT_TRUE(master);
  EXPECT_EQ(name_of(*master), "127.0.0.1:6379");
  EXPECT_THAT(parse_master(reply_of("*-1\r\n")).error().detail,
              HasSubstr("no master of this name"));
  for (const char* bytes :
       {"+OK\r\n", "*0\r\n", "*1\r\n$1\r\na\r\n", "*2\r\n$1\r\na\r\n$1\r\n0\r\n",
        "*2\r\n$1\r\na\r\n$5\r\n70000\r\n", "*2\r\n$0\r\n\r\n$4\r\n6379\r\n",
        "*2\r\n:1\r\n$4\r\n6379\r\n", "*2\r\n$3\r\na/b\r\n$4\r\n6379\r\n"}) {
    EXPECT_FALSE(parse_master(reply_of(bytes))) << bytes;
  }
}

}  // namespace
}  // namespace usher::routing::redis
