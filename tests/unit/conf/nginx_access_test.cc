// Networks, names and passwords of nginx's locations.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/nginx/reader.h"
#include "conf/toml_reader.h"
#include "conf/toml_writer.h"

namespace usher::conf {
namespace {

using testing::Contains;
using testing::HasSubstr;

Result<ReadSettings> read(const std::string& in_server, bool lenient = false) {
  return nginx::read("/etc/nginx/nginx.conf", "server { listen 80; " + in_server + " }", lenient,
                     {});
}

RouteSettings route_of(const std::string& in_server, const std::string& path) {
  const auto made = read(in_server);
  EXPECT_TRUE(made) << made.error().detail;
  for (const RouteSettings& route : made ? made->settings.routes : std::vector<RouteSettings>{}) {
    if (route.path == path) return route;
  }
  ADD_FAILURE() << "no " << path << " in " << in_server;
  return {};
}

TEST(NginxAccess, PasswordsAreInheritedApartFromTheirFile) {
  const std::string text =
      "auth_basic_user_file /run/people; auth_basic \"All of $host\"; location /in/ { } "
      "location /out/ { auth_basic off; } location /own/ { auth_basic Own; } "
      "location /named/ { auth_basic_user_file others; } location = /said { return 200; }";
  struct Row {
    const char* path;
    const char* realm;
    const char* file;
  };
  for (const Row& row :
       {Row{"/in/", "All of $host", "/run/people"}, Row{"/out/", "", ""},
        Row{"/own/", "Own", "/run/people"}, Row{"/named/", "All of $host", "/etc/nginx/others"},
        Row{"/said", "", ""}, Row{"/", "All of $host", "/run/people"}}) {
    const RouteSettings route = route_of(text, row.path);
    EXPECT_EQ(route.basic_auth.file, row.file) << row.path;
    if (route.basic_auth.file.empty()) continue;
    EXPECT_EQ(route.basic_auth.realm.source, row.realm) << row.path;
    EXPECT_EQ(route.satisfy, Satisfy::all);
  }
}

TEST(NginxAccess, WhoIsAllowedStaysNamedWhereOneOfBothWillDo) {
  const std::string both = "auth_basic x; auth_basic_user_file /f; location / { allow 10.0.0.0/8; ";
  EXPECT_TRUE(route_of(both + "}", "/").allow.empty());
  const RouteSettings any = route_of(both + "satisfy any; }", "/");
  EXPECT_EQ(any.satisfy, Satisfy::any);
  ASSERT_EQ(any.allow.size(), 1U);
  EXPECT_EQ(to_string(any.allow[0]), "10.0.0.0/8");
  EXPECT_EQ(route_of(both + "deny all; satisfy any; }", "/").allow.size(), 1U);
  EXPECT_EQ(route_of(both + "allow all; satisfy any; }", "/").allow.size(), 3U)
      << "IPv4, IPv6 and unix sockets";
  const RouteSettings none = route_of("location / { satisfy any; allow 10.0.0.0/8; }", "/");
  EXPECT_EQ(none.satisfy, Satisfy::all) << "there is no password that could satisfy";
}

TEST(NginxAccess, WhatCannotBeAskedForIsAnError) {
  struct Row {
    const char* text;
    const char* said;
  };
  for (const Row& row :
       {Row{"auth_basic x; location / { }", "without \"auth_basic_user_file\""},
        Row{"auth_basic x; auth_basic_user_file /f/$host; location / { }", "no variables"},
        Row{"satisfy some; location / { }", "invalid value \"some\""},
        Row{"auth_basic a b; location / { }", "invalid number of arguments"},
        Row{"auth_basic $nothing; auth_basic_user_file /f; location / { }", "$nothing"}}) {
    const auto made = read(row.text);
    ASSERT_FALSE(made) << row.text;
    EXPECT_THAT(made.error().detail, HasSubstr(row.said));
  }
}

TEST(NginxAccess, PasswordsBeforeThePagesOfOpenWebUiAreAWarning) {
  const std::string passwords = "auth_basic x; auth_basic_user_file /f; client_max_body_size 0; ";
  const auto made = read(passwords + "location / { proxy_pass http://a:1; }");
  ASSERT_TRUE(made);
  EXPECT_THAT(made->warnings, Contains(HasSubstr("a token of their own in \"Authorization\"")));
  const auto beside = read(passwords + "location /x/ { proxy_pass http://a:1; }");
  ASSERT_TRUE(beside);
  EXPECT_THAT(beside->warnings, Not(Contains(HasSubstr("Authorization"))));
}

TEST(NginxAccess, ComesBackFromUsherToml) {
  const auto made = read(
      "auth_basic \"Staff of $host\"; auth_basic_user_file /f; location / { satisfy any; allow "
      "10.0.0.0/8; deny all; }");
  ASSERT_TRUE(made);
  const auto again = read_toml("usher.toml", to_toml(made->settings));
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ(again->settings, made->settings);
}

}  // namespace
}  // namespace usher::conf
