#include "base/strings.h"

#include <gtest/gtest.h>

#include <set>
#include <unordered_set>

namespace usher {
namespace {

using namespace std::string_literals;
using Views = std::vector<std::string_view>;

TEST(Strings, CompareWithoutRegardToAsciiCaseOnly) {
  EXPECT_TRUE(equals_ignoring_case("Host", "hOST"));
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_FALSE(equals_ignoring_case("Host", "Hos"));
  EXPECT_FALSE(equals_ignoring_case("[", "{")) << "they differ in the bit that letters differ in";
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
  EXPECT_FALSE(equals_ignoring_case("\xc3\x84", "\xc3\xa4")) << "only ASCII has a case";
  EXPECT_TRUE(starts_with_ignoring_case("HTTP://x", "http://"));
  EXPECT_FALSE(starts_with_ignoring_case("HTTP", "http://"));
  EXPECT_EQ(to_lower("AbC-[\xc4"), "abc-[\xc4");
}

TEST(Strings, TrimSpacesAndTabsOnly) {
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  EXPECT_EQ(trim(" \t "), "");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim("\r\na"), "\r\na");
}

TEST(Strings, SplitAList) {
  EXPECT_EQ(split_list("a, b,,c ,\t"), (Views{"a", "b", "c"}));
  EXPECT_EQ(split_list(""), Views{});
  EXPECT_EQ(split_list(",,"), Views{});
  EXPECT_EQ(split_list("a;b,c", ';'), (Views{"a", "b,c"}));
}

TEST(Strings, CutAtTheFirstSeparator) {
  EXPECT_EQ(cut("a=b=c", '='),
            (std::pair<std::string_view, std::optional<std::string_view>>("a", "b=c")));
  EXPECT_EQ(cut("a=", '=').second, "");
  EXPECT_EQ(cut("a", '=').second, std::nullopt);
  EXPECT_EQ(cut("", '=').first, "");
}

TEST(Strings, ParseDigitsAndNothingElse) {
  EXPECT_EQ(parse_decimal<uint16_t>("65535"), 65535);
  EXPECT_EQ(parse_decimal<uint16_t>("0080"), 80);
  EXPECT_EQ(parse_decimal<int>("0"), 0);
  EXPECT_EQ(parse_decimal<uint64_t>("18446744073709551615"), UINT64_MAX);
  for (const auto& text :
       {""s, "65536"s, "-1"s, "+1"s, " 1"s, "1 "s, "1a"s, "0x1"s, "1.0"s, "1\0"s}) {
    EXPECT_EQ(parse_decimal<uint16_t>(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_decimal<int>("-1"), std::nullopt);
  EXPECT_EQ(parse_decimal<uint64_t>("18446744073709551616"), std::nullopt);
}

TEST(Strings, WriteAndReadBase64Url) {
  for (const auto& [bytes, text] :
       std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                        {"f", "Zg"},
                                                        {"fo", "Zm8"},
                                                        {"foo", "Zm9v"},
                                                        {"foob", "Zm9vYg"},
                                                        {"\xfb\xff", "-_8"}}) {
    EXPECT_EQ(to_base64url(bytes_of(bytes)), text);
    const auto decoded = from_base64url(text);
    ASSERT_TRUE(decoded) << text;
    EXPECT_EQ(std::string(decoded->begin(), decoded->end()), bytes);
  }
  for (const auto* text : {"Z", "Zg==", "Zm8=", "Zm9vY", "Zg+/", "Z g", "Zh", "Zm9"}) {
    EXPECT_FALSE(from_base64url(text)) << text;
  }
}

TEST(Strings, DecodePercentEncoding) {
  for (const auto& [text, decoded] :
       std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                        {"a%3Ab", "a:b"},
                                                        {"%2f%2F", "//"},
                                                        {"%00", "\0"s},
                                                        {"+", "+"},
                                                        {"%25zz", "%zz"}}) {
    EXPECT_EQ(percent_decode(text), decoded) << text;
  }
  for (const auto* text : {"%", "a%", "%4", "%4g", "%g4", "%+4", "%-4", "%0x", "% 4"}) {
    EXPECT_EQ(percent_decode(text), std::nullopt) << text;
  }
}

TEST(Strings, ReadBase64WithItsPaddingOrWithout) {
  for (const auto& [text, decoded] :
       std::vector<std::pair<const char*, std::string>>{{"", ""},
                                                        {"YQ==", "a"},
                                                        {"YQ", "a"},
                                                        {"YWI=", "ab"},
                                                        {"YWJj", "abc"},
                                                        {"+/+/", "\xfb\xff\xbf"},
                                                        {"AAA=", "\0\0"s}}) {
    EXPECT_EQ(from_base64(text), decoded) << text;
  }
  for (const auto* text : {"Y", "YQ=", "Y===", "====", "-_-_", "YW J", "YQ==YQ==", "YR=="}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
  }
}

TEST(Strings, WriteHexadecimal) { EXPECT_EQ(to_hex(bytes_of("\x00\x7f\xff"s)), "007fff"); }

TEST(Strings, CompareSecretsByTheirWholeLength) {
  EXPECT_TRUE(equals_in_constant_time("secret", "secret"));
  EXPECT_TRUE(equals_in_constant_time("", ""));
  EXPECT_FALSE(equals_in_constant_time("secret", "secreT"));
  EXPECT_FALSE(equals_in_constant_time("Secret", "secret"));
  EXPECT_FALSE(equals_in_constant_time("secret", "secre"));
  EXPECT_FALSE(equals_in_constant_time("\x80", std::string_view("\0", 1)));
}

TEST(StringHash, FindsByViewInASetOfStrings) {
  const std::unordered_set<std::string, StringHash, std::equal_to<>> names{"a", "b"};
  EXPECT_NE(names.find(std::string_view("a")), names.end());
  EXPECT_EQ(names.find(std::string_view("c")), names.end());
}

}  // namespace
}  // namespace usher
