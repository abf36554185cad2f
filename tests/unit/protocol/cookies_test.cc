#include "protocol/cookies.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace usher::protocol {
namespace {

struct Row {
  std::string cookie;
  std::vector<std::string_view> values;
};

TEST(Cookies, FindEveryValueOfAName) {
  for (const Row& row : std::vector<Row>{
           {"usher=a", {"a"}},
           {"a=b; usher=c; d=e", {"c"}},
           {"usher=a; usher=b", {"a", "b"}},
           {"usher=a;usher=b", {"a", "b"}},
           {" usher = a ;", {"a"}},
           {"usher=\"a b\"", {"a b"}},
           {"usher=\"", {"\""}},
           {"usher=", {""}},
           {"usher=a=b", {"a=b"}},
           {"usher", {}},
           {"Usher=a", {}},
           {"xusher=a; usherx=b", {}},
           {"x=usher=a", {}},
           {"", {}},
           {";;;", {}},
           {"usher=a,usher=b", {"a,usher=b"}},
       }) {
    Headers headers;
    headers.append("Cookie", row.cookie);
    EXPECT_EQ(cookie_values(headers, "usher"), row.values) << row.cookie;
  }
}

TEST(Cookies, AreReadFromAllCookieFields) {
  Headers headers;
  headers.append("cookie", "usher=a");
  headers.append("Set-Cookie", "usher=x");
  headers.append("COOKIE", "b=c; usher=d");
  EXPECT_EQ(cookie_values(headers, "usher"), (std::vector<std::string_view>{"a", "d"}));
}

TEST(Cookies, AreSetForTheWholeSiteAndNoScript) {
  EXPECT_EQ(make_set_cookie("usher", "v", {.secure = true}),
            "usher=v; Path=/; HttpOnly; SameSite=Lax; Secure");
  EXPECT_EQ(make_set_cookie("usher", "v", {}), "usher=v; Path=/; HttpOnly; SameSite=Lax");
  EXPECT_EQ(make_set_cookie("usher", "v", {.secure = true, .framed = true}),
            "usher=v; Path=/; HttpOnly; SameSite=None; Secure; Partitioned");
  EXPECT_EQ(make_set_cookie("usher", "v", {.framed = true}),
            "usher=v; Path=/; HttpOnly; SameSite=Lax")
      << "browsers refuse None without Secure";
}

}  // namespace
}  // namespace usher::protocol
