#include "protocol/headers.h"

#include <gtest/gtest.h>

#include <string>

#include "protocol/field_rules.h"

namespace usher::protocol {
namespace {

std::string text_of(const Headers& headers) {
  std::string text;
  for (const Field& field : headers)
    text.append(field.name).append("=").append(field.value).append(";");
  return text;
}

Headers make_headers() {
  Headers headers;
  headers.append("A", "1");
  headers.append("b", "2");
  headers.append("a", "3");
  return headers;
}

TEST(Headers, FindsTheFirstOfAName) {
  const auto headers = make_headers();
  EXPECT_EQ(headers.get("a"), "1");
  EXPECT_EQ(headers.get("B"), "2");
  EXPECT_EQ(headers.get("c"), std::nullopt);
  EXPECT_EQ(headers.get(""), std::nullopt);
  EXPECT_TRUE(headers.has("A"));
  EXPECT_EQ(headers.count("A"), 2u);
  EXPECT_EQ(headers.count("x"), 0u);
}

TEST(Headers, ReplacesAllOfANameInThePlaceOfTheFirst) {
  auto headers = make_headers();
  headers.set("A", "4");
  EXPECT_EQ(text_of(headers), "A=4;b=2;");
  headers.set("c", "5");
  EXPECT_EQ(text_of(headers), "A=4;b=2;c=5;");
}

TEST(Headers, TakesItsOwnTextAsAnArgument) {
  auto headers = make_headers();
  headers.set("A", *headers.get("b"));
  headers.set((headers.begin() + 1)->name, headers.begin()->value);
  EXPECT_EQ(text_of(headers), "A=2;b=2;");
}

TEST(Headers, RemovesAndCounts) {
  auto headers = make_headers();
  EXPECT_EQ(headers.remove("a"), 2u);
  EXPECT_EQ(headers.remove("a"), 0u);
  EXPECT_EQ(text_of(headers), "b=2;");
  EXPECT_EQ(headers.remove_if([](const Field&) { return true; }), 1u);
  EXPECT_TRUE(headers.empty());
}

TEST(Headers, SeeAllFieldsOfANameAsOneList) {
  Headers headers;
  headers.append("Connection", " , keep-alive,\tUpgrade ,");
  headers.append("connection", "x");
  EXPECT_TRUE(headers.has_token("Connection", "upgrade"));
  EXPECT_TRUE(headers.has_token("Connection", "KEEP-ALIVE"));
  EXPECT_TRUE(headers.has_token("Connection", "X"));
  EXPECT_FALSE(headers.has_token("Connection", "keep"));
  EXPECT_FALSE(headers.has_token("Connection", ""));
  EXPECT_FALSE(headers.has_token("Upgrade", "x"));
}

TEST(Headers, KeepViewsValidWhenMovedAndGrown) {
  auto headers = make_headers();
  const auto view = *headers.get("b");
  for (int i = 0; i < 1000; ++i)
    headers.append("X-" + std::to_string(i), std::string(100, 'x'));
  Headers moved = std::move(headers);
  EXPECT_EQ(view, "2");
  EXPECT_EQ(moved.get("X-999"), std::string(100, 'x'));

  headers = Headers();
  headers.append("new", "text");
  EXPECT_EQ(view, "2");
  EXPECT_EQ(text_of(headers), "new=text;");
}

TEST(Headers, WriteNothingIntoMemoryThatMovedAway) {
  auto headers = make_headers();
  Headers moved = std::move(headers);
  headers.append("zzzz", "zzzz");  // NOLINT: use after move is what is tested
  EXPECT_EQ(text_of(moved), "A=1;b=2;a=3;");
}

TEST(Headers, KeepTextLargerThanAChunk) {
  Headers headers;
  const std::string large(100'000, 'x');
  EXPECT_EQ(headers.keep(large), large);
  EXPECT_EQ(headers.keep("small"), "small");
  EXPECT_EQ(headers.keep(""), "");
}

struct RuleRow {
  std::string_view name;
  uint8_t rules;
};

TEST(FieldRules, KnowNamesInAnySpelling) {
  constexpr uint8_t needed = kept_from_connection | not_in_trailers;
  constexpr uint8_t hop = hop_by_hop | not_in_trailers;
  for (const RuleRow& row : std::initializer_list<RuleRow>{
           {"Connection", hop},
           {"KEEP-ALIVE", hop},
           {"keep_alive", hop},
           {"te", hop},
           {"Proxy_Authorization", hop},
           {"Proxy-Authentication-Info", hop},
           {"HTTP2-Settings", hop},
           {"Content-Length", framing_field | needed},
           {"content_length", framing_field | needed},
           {"Transfer_Encoding", framing_field | hop | needed},
           {"Host", needed},
           {"Cookie", needed},
           {"X-Forwarded-For", needed},
           {"x_forwarded_whatever", needed},
           {"Sec-WebSocket-Key", needed},
           {"X-Forwarded", 0},
           {"X-Custom", 0},
           {"", 0},
           {"Proxy", hop},
           {"Proxy-Features", hop},
           {"proxy_anything-of-any-length-that-there-may-be", hop},
           {"Proxy-Status", 0},
           {"Proxys", 0},
           {"Via", not_in_trailers},
           {"traceparent", not_in_trailers},
           {"X_Client_Cert_Subject", needed},
           {"xx", 0},
       }) {
    EXPECT_EQ(rules_of(row.name), row.rules) << row.name;
  }
}

TEST(Headers, SetsAndRemovesEverySpellingThatCgiWouldMerge) {
  Headers headers;
  for (const char* name : {"X_User", "A", "x-user", "X.User", "X-User", "XUser", "X-Users"})
    headers.append(name, "theirs");
  headers.set_alone("X-User", "ours");
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  for (const Field& field : headers)
    fields.emplace_back(field.name, field.value);
  EXPECT_EQ(headers.get("X-User"), "ours");
  EXPECT_EQ(fields.size(), 4u);
  for (const char* name : {"X_User", "X.User"})
    EXPECT_FALSE(headers.has(name)) << name;
  EXPECT_EQ(headers.get("XUser"), "theirs");
  headers.append("X~User", "theirs");
  headers.remove_every("x_user");
  EXPECT_EQ(headers.size(), 3u);
  EXPECT_FALSE(headers.has("X-User"));
}

}  // namespace
}  // namespace usher::protocol
