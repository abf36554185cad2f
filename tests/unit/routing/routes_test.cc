#include "routing/routes.h"

#include <gtest/gtest.h>

namespace usher::routing {
namespace {

conf::RouteSettings route(std::string host, std::string path) {
  conf::RouteSettings settings;
  settings.host = host;
  settings.path = path;
  settings.upstream = host + path;  // says in the table which route it was
  return settings;
}

struct FindRow {
  const char* authority;
  const char* path;
  const char* found;  // nullptr: none
};

void expect_rows(const RouteTable& table, std::initializer_list<FindRow> rows) {
  for (const FindRow& row : rows) {
    const Route* found = table.find(row.authority, row.path);
    EXPECT_EQ(found ? found->upstream : "none", row.found ? row.found : "none")
        << row.authority << " " << row.path;
  }
}

TEST(RouteTable, PrefersTheMoreSpecificHostThenTheLongerPath) {
  const RouteTable table({route("*", "/"), route("*", "/api"), route("*.example.org", "/"),
                          route("*.chat.example.org", "/"), route("chat.example.org", "/"),
                          route("chat.example.org", "/api/"),
                          route("chat.example.org", "/api/v1")});
  expect_rows(table, {
                         {"chat.example.org", "/", "chat.example.org/"},
                         {"chat.example.org", "/api", "chat.example.org/"},
                         {"chat.example.org", "/api/", "chat.example.org/api/"},
                         {"chat.example.org", "/api/v1", "chat.example.org/api/v1"},
                         {"chat.example.org", "/api/v1/x", "chat.example.org/api/v1"},
                         {"chat.example.org", "/api/v12", "chat.example.org/api/"},
                         {"a.chat.example.org", "/", "*.chat.example.org/"},
                         {"b.a.chat.example.org", "/", "*.chat.example.org/"},
                         {"mail.example.org", "/api", "*.example.org/"},
                         {"example.org", "/api", "*/api"},
                         {"example.org", "/", "*/"},
                         {"badexample.org", "/", "*/"},
                         {"", "/", "*/"},
                     });
}

TEST(RouteTable, ComparesHostsWithoutCasePortAndFinalDot) {
  const RouteTable table({route("Chat.Example.org.", "/"), route("*.Wild.org", "/"),
                          route("[::1]", "/"), route("[2001:db8::1]", "/")});
  expect_rows(table, {
                         {"chat.example.org", "/", "Chat.Example.org./"},
                         {"CHAT.example.ORG:8443", "/", "Chat.Example.org./"},
                         {"chat.example.org.", "/", "Chat.Example.org./"},
                         {"chat.example.org.:80", "/", "Chat.Example.org./"},
                         {"X.WILD.org:1", "/", "*.Wild.org/"},
                         {".wild.org", "/", nullptr},
                         {"wild.org", "/", nullptr},
                         {"[::1]", "/", "[::1]/"},
                         {"[::1]:8080", "/", "[::1]/"},
                         {"[2001:DB8::1]:8080", "/", "[2001:db8::1]/"},
                         {"[::1", "/", nullptr},
                         {"chat.example.org:", "/", "Chat.Example.org./"},
                         {"", "/", nullptr},
                         {":", "/", nullptr},
                         {".", "/", nullptr},
                     });
}

TEST(RouteTable, MatchesWholeSegmentsUnlessThePrefixEndsInASlash) {
  const RouteTable table({route("*", "/api"), route("*", "/ws/"), route("*", "/a/b")});
  expect_rows(table, {
                         {"x", "/api", "*/api"},
                         {"x", "/api/", "*/api"},
                         {"x", "/api/x", "*/api"},
                         {"x", "/api?x=/y", "*/api"},
                         {"x", "/apix", nullptr},
                         {"x", "/API", nullptr},
                         {"x", "/ws", nullptr},
                         {"x", "/ws/", "*/ws/"},
                         {"x", "/ws/x", "*/ws/"},
                         {"x", "/a/b", "*/a/b"},
                         // As uvicorn reads it: a rule for "/a/b" must not be evaded.
                         {"x", "/a%2Fb", "*/a/b"},
                         {"x", "/", nullptr},
                         {"x", "/?p=/api", nullptr},
                     });
}

TEST(RouteTable, TakesAnAsteriskForTheRoot) {
  const RouteTable table({route("*", "/"), route("*", "/api")});
  expect_rows(table, {{"x", "*", "*/"}, {"x", "", "*/"}});
}

TEST(RouteTable, TriesTheNextHostWhenNoPathOfTheFirstMatches) {
  const RouteTable table({route("chat.example.org", "/admin"), route("*", "/")});
  expect_rows(table, {{"chat.example.org", "/admin", "chat.example.org/admin"},
                      {"chat.example.org", "/", "*/"}});
}

TEST(RouteTable, PrefersTheFirstOfTwoEqualRoutes) {
  auto first = route("*", "/");
  first.upstream = "first";
  const RouteTable table({first, route("*", "/")});
  expect_rows(table, {{"x", "/", "first"}});
}

TEST(RouteTable, FindsANamedRouteByItsNameAlone) {
  conf::RouteSettings named = route("a.example", "@app");
  conf::RouteSettings other = route("*", "@app");
  named.match = other.match = conf::PathMatch::named;
  other.ports = {81};
  const RouteTable table({route("a.example", "/"), named, other});
  EXPECT_EQ(table.find_named("a.example:80", "@app", 80)->upstream, "a.example@app");
  EXPECT_EQ(table.find_named("b.example", "@app", 81)->upstream, "*@app");
  EXPECT_EQ(table.find_named("b.example", "@app", 80), nullptr);
  EXPECT_EQ(table.find_named("a.example", "@ap"), nullptr);
  EXPECT_EQ(table.find_named("a.example", "/"), nullptr);
  EXPECT_EQ(table.find("a.example", "@app")->upstream, "a.example/");
  EXPECT_EQ(table.find("a.example", "/@app")->upstream, "a.example/");
}

TEST(RouteTable, FindsNothingInAnEmptyTable) { EXPECT_EQ(RouteTable({}).find("x", "/"), nullptr); }

TEST(RouteTable, KeepsWhatARouteDoes) {
  auto settings = route("*", "");
  settings.redirect = {"https://elsewhere", {{}}};
  settings.status = 308;
  settings.max_body = conf::Size{7};
  const RouteTable table({settings});
  const Route* found = table.find("x", "/anything");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->rules.redirect.source, "https://elsewhere");
  EXPECT_EQ(found->status, 308);
  EXPECT_EQ(found->max_body, 7u);
}

}  // namespace
}  // namespace usher::routing
