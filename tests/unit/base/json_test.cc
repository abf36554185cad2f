#include "base/json.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace usher {
namespace {

using namespace std::string_literals;

TEST(Json, WritesAnyTextAsAValidString) {
  const std::string unknown = "\\ufffd";
  for (const auto& [text, json] : std::vector<std::pair<std::string, std::string>>{
           {"", ""},
           {"plain / text", "plain / text"},
           {"\"\\", "\\\"\\\\"},
           {"\n\r\t", "\\n\\r\\t"},
           {"\x01\x1f\x7f", "\\u0001\\u001f\\u007f"},
           {"\0"s, "\\u0000"},
           {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
           {"\xe9", unknown},
           {"\xc3", unknown},
           {"\xc3(", unknown + "("},
           {"\xc0\xaf", unknown + unknown},
           {"\xe0\x80\x80", unknown + unknown + unknown},
           {"\xed\xa0\x80", unknown + unknown + unknown},
           {"\xf4\x90\x80\x80", unknown + unknown + unknown + unknown},
           {"\xf0\x9f\x98", unknown + unknown + unknown},
           {"\xff\xfe", unknown + unknown},
       }) {
    std::string out = "=";
    append_json_string(out, text);
    EXPECT_EQ(out, "=\"" + json + "\"");
  }
}

}  // namespace
}  // namespace usher
