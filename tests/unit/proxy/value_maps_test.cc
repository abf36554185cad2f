#include "proxy/value_maps.h"

#include <gtest/gtest.h>

namespace usher::proxy {
namespace {

conf::Template text(std::string_view source) { return *conf::parse_template(source); }

conf::MapSettings map_of(std::vector<std::pair<std::string, std::string>> entries,
                         bool hostnames = false) {
  conf::MapSettings made;
  made.name = "made";
  made.source = text("$host");
  made.otherwise = text("default");
  made.hostnames = hostnames;
  for (auto& [match, value] : entries)
    made.entries.push_back({match, text(value)});
  return made;
}

std::string found(const ValueMap& map, std::string_view source) {
  return map.find(source).value.source;
}

TEST(ValueMap, ATextIsFoundInAnyCaseAndBeatsAnExpression) {
  const ValueMap map(map_of({{"~.", "expression"}, {"Chat", "text"}, {"", "empty"}}));
  EXPECT_EQ(found(map, "cHAT"), "text");
  EXPECT_EQ(found(map, "chats"), "expression");
  EXPECT_EQ(found(map, ""), "empty");
}

TEST(ValueMap, TheFirstExpressionThatMatchesCountsAndAnEmptySourceMatchesNone) {
  const ValueMap map(map_of({{"~^a.c$", "first"}, {"~*^A", "second"}, {"~.*", "third"}}));
  EXPECT_EQ(found(map, "abc"), "first");
  EXPECT_EQ(found(map, "ABC"), "second");
  EXPECT_EQ(found(map, "xyz"), "third");
  EXPECT_EQ(found(map, ""), "default");
  EXPECT_NE(map.find("abc").by, nullptr);
  EXPECT_EQ(map.find("").by, nullptr);
}

TEST(ValueMap, ABackslashKeepsATextFromBeingAnExpression) {
  const ValueMap map(map_of({{"\\~.", "tilde"}, {"\\\\x", "backslash"}}));
  EXPECT_EQ(found(map, "~."), "tilde");
  EXPECT_EQ(found(map, "\\x"), "backslash");
  EXPECT_EQ(found(map, "~a"), "default");
}

TEST(ValueMap, OfPatternsOfNamesTheLongestCounts) {
  const ValueMap map(map_of({{"*.example.org", "any"},
                             {"*.deep.example.org", "deep"},
                             {".example.com", "com"},
                             {"www.*", "www"},
                             {"www.shop.*", "shop"},
                             {"chat.example.org", "chat"},
                             {"~^www", "expression"}},
                            true));
  EXPECT_EQ(found(map, "chat.example.org"), "chat");
  EXPECT_EQ(found(map, "CHAT.example.org."), "chat");
  EXPECT_EQ(found(map, "a.example.org"), "any");
  EXPECT_EQ(found(map, "a.b.example.org"), "any");
  EXPECT_EQ(found(map, "a.deep.example.org"), "deep");
  EXPECT_EQ(found(map, "example.org"), "default");
  EXPECT_EQ(found(map, ".example.org"), "default");
  EXPECT_EQ(found(map, "example.com"), "com");
  EXPECT_EQ(found(map, "a.example.com"), "com");
  EXPECT_EQ(found(map, "www.example.org"), "any");  // what begins with a star comes first
  EXPECT_EQ(found(map, "www.example.net"), "www");
  EXPECT_EQ(found(map, "www.shop.net"), "shop");
  EXPECT_EQ(found(map, "www.shop"), "www");
  EXPECT_EQ(found(map, "www"), "expression");
}

TEST(ValueMap, WithoutHostnamesAPatternIsAText) {
  const ValueMap map(map_of({{"*.example.org", "star"}, {"a.", "dot"}}));
  EXPECT_EQ(found(map, "a.example.org"), "default");
  EXPECT_EQ(found(map, "*.example.org"), "star");
  EXPECT_EQ(found(map, "a."), "dot");
}

TEST(ValueMaps, AreFoundByName) {
  auto a = map_of({{"x", "1"}});
  auto b = map_of({{"x", "2"}});
  a.name = "b";
  b.name = "a";
  const ValueMaps maps({a, b});
  ASSERT_NE(maps.find("a"), nullptr);
  EXPECT_EQ(found(*maps.find("a"), "x"), "2");
  EXPECT_EQ(found(*maps.find("b"), "x"), "1");
  EXPECT_EQ(maps.find("c"), nullptr);
}

// 2^40 ways to fail.
TEST(ValueMap, AnExpressionThatGivesUpIsNoAnswer) {
  const ValueMap map(map_of({{"~^(a+)+$", "long"}, {"~b", "other"}}));
  const std::string endless = std::string(40, 'a') + "b";
  EXPECT_TRUE(map.find(endless).gave_up) << "not even what a later expression would say";
  EXPECT_FALSE(map.find("aaaa").gave_up);
  EXPECT_EQ(found(map, "aaaa"), "long");
}

}  // namespace
}  // namespace usher::proxy
