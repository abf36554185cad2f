#include "protocol/conditions.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <utility>

#include "protocol/http_date.h"

namespace usher::protocol {
namespace {

constexpr const char* told = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* before = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr const char* after = "Sun, 06 Nov 1994 08:49:38 GMT";
const Validators validators{"\"a-1\"", 784111777};

using Fields = std::initializer_list<std::pair<const char*, const char*>>;

Headers headers_of(Fields fields) {
  Headers headers;
  for (const auto& [name, value] : fields)
    headers.append(name, value);
  return headers;
}

TEST(HttpDate, IsWrittenAndReadInItsThreeForms) {
  EXPECT_EQ(http_date(784111777), told);
  for (const char* text : {told, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"})
    EXPECT_EQ(parse_http_date(text), 784111777) << text;
  for (const char* text : {"", "now", "Sun, 06 Nov 1994 08:49:37", "784111777",
                           "Sun, 06 Nov 1994 08:49:37 GMT, and more"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

TEST(Conditions, AreWeighedAsNginxDoes) {
  struct Row {
    Fields fields;
    Condition condition;
  };
  const Row rows[] = {
      {{}, Condition::met},
      {{{"If-None-Match", "\"a-1\""}}, Condition::not_modified},
      {{{"If-None-Match", "\"b\", W/\"a-1\""}}, Condition::not_modified},
      {{{"If-None-Match", "*"}}, Condition::not_modified},
      {{{"If-None-Match", "\"b\""}}, Condition::met},
      {{{"If-None-Match", "\"x\"a-1\""}}, Condition::met},
      {{{"If-Modified-Since", told}}, Condition::not_modified},
      {{{"If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT"}}, Condition::not_modified},
      {{{"If-Modified-Since", after}}, Condition::met},
      {{{"If-Modified-Since", before}}, Condition::met},
      {{{"If-Modified-Since", "never"}}, Condition::met},
      {{{"If-None-Match", "\"b\""}, {"If-Modified-Since", told}}, Condition::met},
      {{{"If-None-Match", "\"a-1\""}, {"If-Modified-Since", before}}, Condition::met},
      {{{"If-None-Match", "\"a-1\""}, {"If-Modified-Since", told}}, Condition::not_modified},
      {{{"If-Match", "\"a-1\""}}, Condition::met},
      {{{"If-Match", "*"}}, Condition::met},
      {{{"If-Match", "W/\"a-1\""}}, Condition::failed},
      {{{"If-Match", "\"b\""}}, Condition::failed},
      {{{"If-Unmodified-Since", told}}, Condition::met},
      {{{"If-Unmodified-Since", after}}, Condition::met},
      {{{"If-Unmodified-Since", before}}, Condition::failed},
      {{{"If-Unmodified-Since", "never"}}, Condition::met},
      {{{"If-Match", "\"b\""}, {"If-None-Match", "\"a-1\""}}, Condition::failed},
  };
  for (const Row& row : rows) {
    const Headers headers = headers_of(row.fields);
    EXPECT_EQ(condition_of(headers, validators), row.condition)
        << (row.fields.size() > 0 ? row.fields.begin()->second : "");
  }
}

TEST(Conditions, WithoutATagHoldForEverythingOnly) {
  const Validators untagged{"", 784111777};
  EXPECT_EQ(condition_of(headers_of({{"If-Match", "\"\""}}), untagged), Condition::failed);
  EXPECT_EQ(condition_of(headers_of({{"If-Match", "*"}}), untagged), Condition::met);
  EXPECT_EQ(condition_of(headers_of({{"If-None-Match", "\"\""}}), untagged), Condition::met);
}

// "first+length", "whole" or "none".
std::string range(Fields fields, uint64_t size = 10) {
  const RangeAsked asked = range_of(headers_of(fields), validators, size);
  switch (asked.kind) {
    case RangeAsked::Kind::whole: return "whole";
    case RangeAsked::Kind::unsatisfiable: return "none";
    case RangeAsked::Kind::part: break;
  }
  return std::to_string(asked.first) + "+" + std::to_string(asked.length);
}

TEST(Ranges, AreReadOneByOne) {
  const std::pair<const char*, const char*> rows[] = {
      {"bytes=0-0", "0+1"},
      {"bytes=2-5", "2+4"},
      {"bytes=2-", "2+8"},
      {"bytes=-3", "7+3"},
      {"bytes=-30", "0+10"},
      {"bytes=5-99", "5+5"},
      {"Bytes= 2 - 5 ", "2+4"},
      {"bytes=9-", "9+1"},
      {"bytes=10-", "none"},
      {"bytes=10-12", "none"},
      {"bytes=-0", "none"},
      {"bytes=5-4", "none"},
      {"bytes=", "none"},
      {"bytes=a-b", "none"},
      {"bytes=-", "none"},
      {"bytes=1", "none"},
      {"bytes=0-1,3-4", "whole"},
      {"lines=1-2", "whole"},
      {"bytes=18446744073709551616-", "none"},
      {"bytes=-18446744073709551615", "0+10"},
  };
  for (const auto& [text, wanted] : rows)
    EXPECT_EQ(range({{"Range", text}}), wanted) << text;
  EXPECT_EQ(range({}), "whole");
  EXPECT_EQ(range({{"Range", "bytes=0-"}}, 0), "whole");
}

TEST(Ranges, AreForTheStateThatIfRangeNames) {
  const std::pair<const char*, const char*> rows[] = {
      {"\"a-1\"", "2+2"}, {"\"b\"", "whole"}, {"W/\"a-1\"", "whole"},
      {told, "2+2"},      {after, "whole"},   {"never", "whole"},
  };
  for (const auto& [text, wanted] : rows)
    EXPECT_EQ(range({{"Range", "bytes=2-3"}, {"If-Range", text}}), wanted) << text;
}

}  // namespace
}  // namespace usher::protocol
