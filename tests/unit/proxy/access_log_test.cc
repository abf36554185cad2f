#include "proxy/access_log.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/log_text.h"

namespace usher::proxy {
namespace {

AccessRecord record() {
  AccessRecord made;
  made.time = WallTime(std::chrono::milliseconds(1'700'000'000'123));
  made.client = "192.0.2.1";
  made.method = "GET";
  made.host = "chat.example.org";
  made.target = "/api/x?token=secret";
  made.protocol = "h1";
  made.status = 200;
  made.bytes_out = 5;
  made.duration = Duration(12);
  made.first_byte = Duration(3);
  made.replica = "10.0.0.1:8080";
  made.affinity = "new";
  made.attempts = 1;
  made.request_id = "abc";
  made.user_agent = "a \"quoted\"\nagent\xff";
  return made;
}

TEST(AccessLog, WritesEveryFieldAndNoQuery) {
  EXPECT_EQ(
      to_json(record(), "node-1"),
      R"({"time":"2023-11-14T22:13:20.123Z","node":"node-1","client":"192.0.2.1","method":"GET",)"
      R"("host":"chat.example.org","path":"/api/x","protocol":"h1","status":200,"bytes_in":0,)"
      R"("bytes_out":5,"duration_ms":12,"first_byte_ms":3,"replica":"10.0.0.1:8080",)"
      R"("affinity":"new","attempts":1,"error":null,"request_id":"abc",)"
      R"("user_agent":"a \"quoted\"\nagent\ufffd"})"
      "\n");
}

TEST(AccessLog, ATextIsEscapedAsNginxDoes) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"", "-"},
      {"plain ~ text", "plain ~ text"},
      {"a \"quoted\"\nagent\xff", R"(a \x22quoted\x22\x0Aagent\xFF)"},
      {std::string_view("\0\x1f\x7f\\", 4), R"(\x00\x1F\x7F\x5C)"},
  };
  for (const auto& [text, written] : rows) {
    std::string line;
    append_escaped(line, text);
    EXPECT_EQ(line, written);
  }
}

TEST(AccessLog, CutsEachFieldAndSaysSo) {
  const std::string worst(60'000, '\xff');
  AccessRecord made = record();
  made.host = made.target = made.method = made.request_id = made.user_agent = worst;
  const std::string line = to_json(made, "node-1");
  EXPECT_LT(line.size(), 6 * longest_log_field);
  EXPECT_TRUE(line.ends_with("\\ufffd...[60000 bytes]\"}\n"));
}

TEST(AccessLog, CutsATextAndSaysSo) {
  std::string line = "before ";
  append_escaped(line, std::string(60'000, '\xff'));
  EXPECT_TRUE(line.ends_with("\\xFF...[60000 bytes]")) << line;
  EXPECT_LT(line.size(), longest_log_field + 32);
  line.clear();
  append_escaped(line, std::string(longest_log_field, 'a'));
  EXPECT_EQ(line, std::string(longest_log_field, 'a'));
}

}  // namespace
}  // namespace usher::proxy
