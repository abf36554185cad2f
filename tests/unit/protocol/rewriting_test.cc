#include "protocol/rewriting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/cookie_flags.h"

namespace usher::protocol {
namespace {

using testing::ElementsAre;

using Rules = std::vector<conf::RewriteSettings>;

// "$host" is chat.example.org, "$1" and the like are groups.
std::string expand(const conf::Template& text, const Rewriting::Groups* groups) {
  std::string made;
  for (const conf::TemplatePart& part : text.parts) {
    if (part.variable == conf::Variable::text) made += part.text;
    if (part.variable == conf::Variable::host) made += "chat.example.org";
    if (part.variable == conf::Variable::group && groups)
      made += groups->found.at(static_cast<size_t>(part.text.front() - '0'));
  }
  return made;
}

conf::RewriteSettings rule(const std::string& from, const std::string& to) {
  return {*conf::parse_pattern(from), *conf::parse_template(to)};
}

std::string after(const conf::RouteSettings& settings, const std::string& name,
                  const std::string& value) {
  Headers headers;
  headers.append("X-Other", value);
  headers.append(name, value);
  EXPECT_TRUE(Rewriting(settings).apply(headers, expand));
  EXPECT_EQ(headers.get("X-Other"), value) << "another header";
  return std::string(*headers.get(name));
}

std::string location(const Rules& rules, const std::string& value) {
  conf::RouteSettings settings;
  settings.rewrite_location = rules;
  return after(settings, "Location", value);
}

TEST(Rewriting, ALocationThatBeginsSoBeginsOtherwise) {
  const Rules rules{rule("http://up:8080/two/", "http://$host/one/"), rule("http://up:8080/", "/")};
  EXPECT_EQ(location(rules, "http://up:8080/two/x?y=z"), "http://chat.example.org/one/x?y=z");
  EXPECT_EQ(location(rules, "http://up:8080/x"), "/x");
  EXPECT_EQ(location(rules, "http://up:8080/"), "/");
  EXPECT_EQ(location(rules, "http://up:8081/x"), "http://up:8081/x");
  EXPECT_EQ(location(rules, "/x"), "/x");
  EXPECT_EQ(location(rules, ""), "");
}

TEST(Rewriting, TheTextThatIsLookedForMayHaveVariables) {
  EXPECT_EQ(location({rule("http://$host:81/", "/")}, "http://chat.example.org:81/x"), "/x");
}

TEST(Rewriting, AnExpressionPutsTheWholeInOtherWords) {
  const Rules rules{rule("~^http://[^/]+:(\\d+)(/.+)$", "/port$1$2"), rule("~*UP", "/any")};
  EXPECT_EQ(location(rules, "http://up:8080/x"), "/port8080/x");
  EXPECT_EQ(location(rules, "https://up/x"), "/any");
  EXPECT_EQ(location(rules, "https://down/x"), "https://down/x");
}

TEST(Rewriting, TheFirstRuleThatFitsCounts) {
  EXPECT_EQ(location({rule("/a", "/b"), rule("/b", "/c"), rule("/a", "/d")}, "/a"), "/b");
}

TEST(Rewriting, ARefreshHasAnAddressToo) {
  conf::RouteSettings settings;
  settings.rewrite_location = {rule("http://up/", "/")};
  EXPECT_EQ(after(settings, "Refresh", "5; URL=http://up/x"), "5; URL=/x");
  EXPECT_EQ(after(settings, "refresh", "0;url=/y"), "0;url=/y");
  EXPECT_EQ(after(settings, "Refresh", "5"), "5");
}

TEST(Rewriting, NoRuleEndsAHeader) {
  EXPECT_EQ(location({rule("~^(.*)$", "/a\r\nX: y")}, "/b"), "/b");
}

std::string domain(const Rules& rules, const std::string& value) {
  conf::RouteSettings settings;
  settings.rewrite_cookie_domain = rules;
  return after(settings, "Set-Cookie", value);
}

TEST(Rewriting, TheDomainOfACookieComparesWhole) {
  const Rules rules{rule(".Up.internal", "example.org"), rule("~\\.(\\w+)\\.test$", "$1.example")};
  EXPECT_EQ(domain(rules, "a=b; Domain=up.INTERNAL; Path=/"), "a=b; Domain=example.org; Path=/");
  EXPECT_EQ(domain(rules, "a=b; domain=.up.internal"), "a=b; domain=.example.org");
  EXPECT_EQ(domain(rules, "a=b; Domain=x.up.internal"), "a=b; Domain=x.up.internal");
  EXPECT_EQ(domain(rules, "a=b; Domain=deep.site.TEST"), "a=b; Domain=site.example");
  EXPECT_EQ(domain(rules, "domain=up.internal"), "domain=up.internal") << "a cookie of that name";
  EXPECT_EQ(domain(rules, "a=b;Path=/ ;  Secure"), "a=b;Path=/ ;  Secure") << "as it was spelled";
}

TEST(Rewriting, ThePathOfACookieBeginsOtherwise) {
  conf::RouteSettings settings;
  settings.rewrite_cookie_path = {rule("/two/", "/"), rule("~*^/User/([^/]+)", "/u/$1")};
  EXPECT_EQ(after(settings, "Set-Cookie", "a=b; path=/two/some/; Secure"),
            "a=b; path=/some/; Secure");
  EXPECT_EQ(after(settings, "Set-Cookie", "a=b; Path=/user/joe/x"), "a=b; Path=/u/joe");
  EXPECT_EQ(after(settings, "Set-Cookie", "a=b; Path"), "a=b; Path");
}

TEST(Rewriting, EveryCookieOfAnAnswerIsLookedAt) {
  conf::RouteSettings settings;
  settings.rewrite_cookie_path = {rule("/", "/x/")};
  Headers headers;
  headers.append("Set-Cookie", "a=1; Path=/");
  headers.append("set-cookie", "b=2; Path=/");
  EXPECT_TRUE(Rewriting(settings).apply(headers, expand));
  std::vector<std::string> values;
  for (const Field& field : headers)
    values.emplace_back(field.value);
  EXPECT_THAT(values, ElementsAre("a=1; Path=/x/", "b=2; Path=/x/"));
}

std::string flagged(const std::vector<std::string>& flags, const std::string& value) {
  conf::RouteSettings settings;
  for (const std::string& each : flags)
    settings.cookie_flags.push_back(*conf::parse_cookie_flags(each));
  return after(settings, "Set-Cookie", value);
}

TEST(Rewriting, FlagsAreAddedAndTakenAway) {
  EXPECT_EQ(flagged({"a secure httponly samesite=lax"}, "a=1; Path=/"),
            "a=1; Path=/; Secure; HttpOnly; SameSite=Lax");
  EXPECT_EQ(flagged({"a secure samesite=strict"}, "a=1; secure; SameSite=None"),
            "a=1; secure; SameSite=Strict");
  EXPECT_EQ(flagged({"a nosecure nohttponly nosamesite"}, "a=1; Secure; SameSite=Lax; httponly"),
            "a=1");
  EXPECT_EQ(flagged({"a secure"}, "b=1"), "b=1");
  EXPECT_EQ(flagged({"A secure", "~ httponly"}, "a=1"), "a=1; Secure") << "the first that fits";
  EXPECT_EQ(flagged({"~^ses httponly"}, "SESSION=1; HttpOnly"), "SESSION=1; HttpOnly");
  EXPECT_EQ(flagged({"secure nosecure"}, "secure"), "secure") << "a cookie of that name";
}

TEST(Rewriting, IsEmptyWithoutRules) {
  EXPECT_TRUE(Rewriting(conf::RouteSettings()).empty());
  conf::RouteSettings settings;
  settings.cookie_flags = {*conf::parse_cookie_flags("a secure")};
  EXPECT_FALSE(Rewriting(settings).empty());
}

// 2^40 ways to fail.
TEST(Rewriting, SaysThatAnExpressionGaveUp) {
  const std::string endless = "/" + std::string(40, 'a') + "!";
  const auto decided = [](const conf::RouteSettings& settings, const char* name,
                          const std::string& value) {
    Headers headers;
    headers.append(name, value);
    return Rewriting(settings).apply(headers, expand);
  };
  conf::RouteSettings location;
  location.rewrite_location = {{*conf::parse_pattern("~^/(a+)+$"), *conf::parse_template("/x")}};
  EXPECT_FALSE(decided(location, "Location", endless));
  EXPECT_TRUE(decided(location, "Location", "/aaa"));
  EXPECT_TRUE(decided(location, "X-Other", endless));
  conf::RouteSettings flags;
  flags.cookie_flags = {{.cookie = "~^(a+)+$", .secure = true, .http_only = {}, .same_site = {}}};
  EXPECT_FALSE(decided(flags, "Set-Cookie", std::string(40, 'a') + "!=1; Path=/"));
  EXPECT_TRUE(decided(flags, "Set-Cookie", "aaa=1; Path=/"));
}

}  // namespace
}  // namespace usher::protocol
