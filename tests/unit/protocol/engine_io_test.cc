#include "protocol/engine_io.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/protocol/transcript.h"

namespace usher::protocol {
namespace {

using namespace std::string_literals;
using State = OpenPacketReader::State;

TEST(EngineIo, FindsTheSidOfAQuery) {
  const std::vector<std::pair<std::string, std::optional<std::string>>> rows{
      {"EIO=4&transport=polling&sid=lv_VI97HAXpY6yYWAAAC", "lv_VI97HAXpY6yYWAAAC"},
      {"sid=a", "a"},
      {"sid=a&sid=b", "a"},
      {"t=1&sid=a-b.c~d&x", "a-b.c~d"},
      {"sid=", std::nullopt},
      {"sid", std::nullopt},
      {"", std::nullopt},
      {"xsid=a", std::nullopt},
      {"SID=a", std::nullopt},
      {"x=sid=a", std::nullopt},
      {"sid=a%20b", std::nullopt},
      {"sid=a:b", std::nullopt},
      {"sid=" + std::string(64, 'x'), std::string(64, 'x')},
      {"sid=" + std::string(65, 'x'), std::nullopt},
  };
  for (const auto& [query, sid] : rows)
    EXPECT_EQ(sid_of_query(query), sid) << query;
}

TEST(EngineIo, KnowsAPollingHandshake) {
  const std::vector<std::tuple<std::string, std::string, bool>> rows{
      {"GET", "/socket.io/?EIO=4&transport=polling", true},
      {"GET", "/socket.io/?transport=polling&EIO=3&t=x", true},
      {"GET", "/socket.io/?EIO=4&transport=polling&sid=a", false},
      {"GET", "/socket.io/?EIO=4&transport=polling&sid=", false},
      {"GET", "/socket.io/?EIO=4&transport=websocket", false},
      {"GET", "/socket.io/?EIO=4", false},
      {"GET", "/socket.io/", false},
      {"POST", "/socket.io/?EIO=4&transport=polling", false},
      {"OPTIONS", "/socket.io/?EIO=4&transport=polling", false},
  };
  for (const auto& [method, target, handshake] : rows) {
    RequestHead head;
    head.method = method;
    head.target = target;
    EXPECT_EQ(is_polling_handshake(head), handshake) << method << target;
  }
}

TEST(EngineIo, KnowsWhoMeansAWebsocket) {
  const std::vector<std::tuple<std::string, std::string, bool>> rows{
      {"GET", "/socket.io/?EIO=4&transport=websocket", true},
      {"GET", "/socket.io/?transport=websocket&sid=a", true},
      {"GET", "/socket.io/?EIO=4&transport=polling", false},
      {"GET", "/socket.io/?xtransport=websocket", false},
      {"POST", "/socket.io/?EIO=4&transport=websocket", false},
  };
  for (const auto& [method, target, meant] : rows) {
    RequestHead head;
    head.method = method;
    head.target = target;
    EXPECT_EQ(asks_for_websocket(head), meant) << method << target;
  }
}

struct Row {
  std::string body;
  State state;
  std::string sid = {};
};

const std::vector<Row> packets{
    {R"(0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000})",
     State::found, "lv_VI97HAXpY6yYWAAAC"},
    {R"(0{"upgrades":["a","}"],"x":{"sid":"no","y":[{}]},"n":-1.5e3,"b":null,"sid":"abc"})",
     State::found, "abc"},
    {R"(0{ "sid" : "abc" })", State::found, "abc"},
    {"0{\"sid\":\"abc\"}\x1e"
     "40",
     State::found, "abc"},
    {R"(0{"sid":"abc")", State::found, "abc"},
    {R"(96:0{"sid":"abc","upgrades":[]}2:40)", State::found, "abc"},
    {"\0\x09\x06\xff"s + R"(0{"sid":"abc"})", State::found, "abc"},
    {R"(0{"a\"sid\":\"":"x","sid":"abc"})", State::found, "abc"},
    {"", State::reading},
    {"0", State::reading},
    {"9", State::reading},
    {"96:", State::reading},
    {R"(0{"sid":"abc)", State::reading},
    {R"(0{"sid":)", State::reading},
    {R"(0{"x":{"sid":"abc"})", State::reading},
    {"ok", State::not_an_open_packet},
    {"40", State::reading},
    {"40{\"sid\":\"x\"}", State::not_an_open_packet},
    {"4\"hello\"", State::not_an_open_packet},
    {"2probe", State::not_an_open_packet},
    {"0[]", State::not_an_open_packet},
    {"0{}", State::not_an_open_packet},
    {R"(0{"upgrades":[]})", State::not_an_open_packet},
    {R"(0{"upgrades":[]],"sid":"a"})", State::not_an_open_packet},
    {R"(0{"sid":null})", State::not_an_open_packet},
    {R"(0{"sid":""})", State::not_an_open_packet},
    {R"(0{"sid":"a b"})", State::not_an_open_packet},
    {R"(0{"sid":"a\u0062"})", State::not_an_open_packet},
    {R"(0{sid:"a"})", State::not_an_open_packet},
    {R"(0{"sid""a"})", State::not_an_open_packet},
    {R"({"code":0,"message":"Transport unknown"})", State::not_an_open_packet},
    {"<html>", State::not_an_open_packet},
    {":0{\"sid\":\"a\"}", State::not_an_open_packet},
    {"99999999999:0{\"sid\":\"a\"}", State::not_an_open_packet},
    {"\0\xff"s + R"(0{"sid":"abc"})", State::not_an_open_packet},
    {"\0"
     "9\xff"s +
         R"(0{"sid":"abc"})",
     State::not_an_open_packet},
    {"\x1f\x8b\x08", State::not_an_open_packet},
    {R"(0{"x":")" + std::string(5000, 'x') + R"(","sid":"abc"})", State::not_an_open_packet},
};

TEST(OpenPacketReader, ReadsTheSidHoweverTheBodyArrives) {
  for (const Row& row : packets) {
    SCOPED_TRACE(row.body.substr(0, 60));
    if (row.body.empty() || row.body.size() > 200) {
      OpenPacketReader reader;
      EXPECT_EQ(reader.feed(row.body), row.state);
      continue;
    }
    for_each_cut(row.body, [&](auto pieces, const std::string& how) {
      OpenPacketReader reader;
      for (const auto piece : pieces)
        reader.feed(piece);
      EXPECT_EQ(reader.state(), row.state) << how;
      EXPECT_EQ(reader.sid(), row.sid) << how;
    });
  }
}

TEST(OpenPacketReader, GivesUpAfterFourKibibytes) {
  OpenPacketReader reader;
  const std::string start = R"(0{"x":")";
  reader.feed(start);
  const std::string piece(64, 'x');
  for (size_t fed = start.size(); fed + piece.size() < 4096; fed += piece.size()) {
    EXPECT_EQ(reader.feed(piece), State::reading);
  }
  EXPECT_EQ(reader.feed(piece), State::not_an_open_packet);
}

}  // namespace
}  // namespace usher::protocol
