#include "conf/values.h"

#include <gtest/gtest.h>

#include "conf/words.h"

namespace usher::conf {
namespace {

constexpr Rule anything;

template <typename T>
std::optional<T> read(std::string_view text, const Rule& rule = anything) {
  T value{};
  return assign(text, value, rule) ? std::optional<T>(value) : std::nullopt;
}

template <typename T>
std::string why(std::string_view text, const Rule& rule = anything) {
  T value{};
  const auto outcome = assign(text, value, rule);
  return outcome ? "it is good" : outcome.error().detail;
}

TEST(Values, ReadDurations) {
  EXPECT_EQ(read<Millis>("250ms"), 250ms);
  EXPECT_EQ(read<Millis>("3s"), 3s);
  EXPECT_EQ(read<Millis>("30m"), 30min);
  EXPECT_EQ(read<Millis>("24h"), 24h);
  EXPECT_EQ(read<Millis>("0s"), 0ms);
  for (const auto* bad : {"", "s", "3", "-3s", "3 s", " 3s", "3S", "1.5s", "1h30m", "3sec", "+3s",
                          "0x3s", "99999999999999999999s"}) {
    EXPECT_FALSE(read<Millis>(bad)) << bad;
  }
}

TEST(Values, RefuseADurationThatWouldOverflow) {
  EXPECT_FALSE(read<Millis>("18446744073709551615h", {1, 1000}));
  EXPECT_EQ(why<Millis>("18446744073709551615h", {1, 1000}),
            R"(expected a duration from "1ms" to "1s", got "18446744073709551615h")");
}

TEST(Values, SayThatTheUnitIsMissing) {
  EXPECT_EQ(why<Millis>("3"), R"(expected a duration such as "250ms", got "3", which has no unit)");
  EXPECT_EQ(why<Size>("3"), R"(expected a size such as "64KiB", got "3", which has no unit)");
}

TEST(Values, ReadSizes) {
  EXPECT_EQ(read<Size>("0"), Size{0});
  EXPECT_EQ(read<Size>("10B"), Size{10});
  EXPECT_EQ(read<Size>("64KiB"), Size{65536});
  EXPECT_EQ(read<Size>("20MiB"), Size{uint64_t{20} << 20});
  EXPECT_EQ(read<Size>("1GiB"), Size{uint64_t{1} << 30});
  EXPECT_EQ(read<Size>("2TiB"), Size{uint64_t{2} << 40});
  for (const auto* bad :
       {"", "1", "KiB", "1KB", "1k", "1 KiB", "-1KiB", "1.5GiB", "99999999999999999999B"}) {
    EXPECT_FALSE(read<Size>(bad)) << bad;
  }
}

TEST(Values, WriteWhatTheyRead) {
  for (const auto value : {0ms, 1ms, 250ms, 1500ms, Millis(3s), Millis(75s), Millis(60s),
                           Millis(2min), Millis(30min), Millis(1h), Millis(24h)}) {
    EXPECT_EQ(read<Millis>(format_millis(value)), value) << format_millis(value);
  }
  EXPECT_EQ(format_millis(60s), "60s");
  EXPECT_EQ(format_millis(30min), "30m");
  EXPECT_EQ(format_millis(1h), "1h");
  for (const uint64_t bytes : {0ULL, 1ULL, 1000ULL, 65536ULL, 1ULL << 30, 3ULL << 40}) {
    EXPECT_EQ(read<Size>(format_size({bytes})), Size{bytes});
  }
}

TEST(Values, KeepTheirBounds) {
  EXPECT_EQ(read<uint32_t>("7", {1, 7}), 7U);
  EXPECT_FALSE(read<uint32_t>("8", {1, 7}));
  EXPECT_FALSE(read<uint32_t>("0", {1, 7}));
  EXPECT_FALSE(read<uint16_t>("65536"));
  EXPECT_EQ(why<uint16_t>("-1"), "expected a whole number from 0 to 65535, got \"-1\"");
}

TEST(Values, RefuseControlCharacters) {
  EXPECT_FALSE(read<std::string>("a\nb"));
  EXPECT_EQ(why<std::string>(std::string_view("a\0b", 3)),
            R"(expected a text without control characters, got "a\x00b")");
}

TEST(Words, FindTheNearest) {
  constexpr std::string_view known[] = {"interval", "timeout", "path", "fall", "rise"};
  EXPECT_EQ(nearest("intervall", known), "interval");
  EXPECT_EQ(nearest("itnerval", known), "interval");
  EXPECT_EQ(nearest("time", known), "timeout");
  EXPECT_EQ(nearest("pth", known), "path");
  EXPECT_EQ(nearest("rsie", known), "rise");
  EXPECT_EQ(nearest("colour", known), std::nullopt);
  EXPECT_EQ(nearest("", known), std::nullopt);
  EXPECT_EQ(nearest("x", known), std::nullopt);
  EXPECT_EQ(nearest(std::string(1000, 'x'), known), std::nullopt);
}

TEST(Words, CutALongQuoteBetweenCharacters) {
  std::string umlauts;
  for (int i = 0; i < 60; ++i)
    umlauts += "ä";
  EXPECT_EQ(in_quotes("x" + umlauts).find("\xc3..."), std::string::npos);
  EXPECT_EQ(in_quotes("a\"b"), R"("a\"b")");
}

}  // namespace
}  // namespace usher::conf
