#include "conf/limits.h"

#include <gtest/gtest.h>

namespace usher::conf {
namespace {

TEST(Limits, RatesAreCountedInThousandthsASecond) {
  struct Row {
    const char* text;
    uint64_t thousandths;
  };
  constexpr Row rows[] = {
      {"1r/s", 1000}, {"10r/s", 10'000}, {"30r/m", 500}, {"1r/m", 16}, {"100r/m", 1666}};
  for (const Row& row : rows) {
    const auto rate = parse_rate(row.text);
    ASSERT_TRUE(rate) << row.text;
    EXPECT_EQ(rate->thousandths(), row.thousandths) << row.text;
    EXPECT_EQ(to_string(*rate), row.text);
  }
  for (const char* bad :
       {"", "10", "r/s", "0r/s", "-1r/s", "10r/h", "1.5r/s", "10 r/s", "2000000r/s"})
    EXPECT_FALSE(parse_rate(bad)) << bad;
}

TEST(Limits, AreReadAsTheyAreWritten) {
  for (const char* text :
       {"api", "api burst=20", "api burst=20 delay=8", "api burst=20 nodelay", "api nodelay"}) {
    const auto limit = parse_rate_limit(text);
    ASSERT_TRUE(limit) << text;
    EXPECT_EQ(to_string(*limit), text);
  }
  for (const char* bad :
       {"", " ", "api 20", "api burst", "api burst=0", "api burst=x", "api delay=0",
        "api delay=1 nodelay", "api nodelay delay=1", "api brust=1"})
    EXPECT_FALSE(parse_rate_limit(bad)) << bad;
  EXPECT_EQ(to_string(*parse_connection_limit("per_address 10")), "per_address 10");
  for (const char* bad : {"", "per_address", "per_address 0", "per_address 65536", "a 1 2", "10 a"})
    EXPECT_FALSE(parse_connection_limit(bad)) << bad;
}

}  // namespace
}  // namespace usher::conf
