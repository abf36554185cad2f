// The forms of hosts, ports and paths that nginx's servers and locations have.

#include <gtest/gtest.h>

#include "routing/routes.h"

namespace usher::routing {
namespace {

using conf::PathMatch;

conf::RouteSettings route(std::string path, PathMatch match) {
  conf::RouteSettings settings;
  settings.path = path;
  settings.match = match;
  settings.upstream = path;  // says in the table which route it was
  return settings;
}

std::string found(const RouteTable& table, std::string_view path, std::string_view host = "a",
                  uint16_t port = 80) {
  const Route* route = table.find(host, path, port);
  return route ? route->upstream : "none";
}

TEST(RouteMatches, AreTriedInTheOrderOfNginxsLocations) {
  const RouteTable table({route("/", PathMatch::prefix), route("/images/", PathMatch::prefix_first),
                          route("\\.(gif|jpg)$", PathMatch::regex_ignoring_case),
                          route("^/doc.*\\.JPG$", PathMatch::regex),
                          route("/documents/", PathMatch::prefix), route("/", PathMatch::exact),
                          route("/images/deep/", PathMatch::prefix)});
  const std::pair<const char*, const char*> rows[] = {
      {"/", "/"},
      {"/index.html", "/"},
      {"/documents/a.html", "/documents/"},
      {"/images/1.gif", "/images/"},
      {"/documents/1.jpg", "\\.(gif|jpg)$"},
      {"/documents/1.JPG", "\\.(gif|jpg)$"},
      // The longest prefix is not prefix_first: expressions are asked.
      {"/images/deep/1.gif", "\\.(gif|jpg)$"},
      {"/images/deep/1.txt", "/images/deep/"},
      {"/?a=1.gif", "/"},
  };
  for (const auto& [path, expected] : rows)
    EXPECT_EQ(found(table, path), expected) << path;
  EXPECT_EQ(table.find("a", "/", 80)->match, PathMatch::exact);
  EXPECT_EQ(table.find("a", "/x", 80)->match, PathMatch::prefix);
}

TEST(RouteMatches, ComparesAPrefixAsItIsWrittenOrBySegments) {
  const RouteTable table({route("/api", PathMatch::prefix), route("/seg", PathMatch::segments)});
  EXPECT_EQ(found(table, "/apix"), "/api");
  EXPECT_EQ(found(table, "/seg/x"), "/seg");
  EXPECT_EQ(found(table, "/segx"), "none");
}

TEST(RouteMatches, SeesThePathThatAReplicaWillSee) {
  const RouteTable table({route("/", PathMatch::segments), route("/admin", PathMatch::segments)});
  for (const char* path : {"/admin", "/%61dmin", "//admin/x", "/x/../admin", "/./admin",
                           "/x/%2e%2e/admin", "/../admin", "/admin%2fx"})
    EXPECT_EQ(found(table, path), "/admin") << path;
  for (const char* path : {"/", "/x/admin", "/administrator", "/%zzadmin", "/admin/.."})
    EXPECT_EQ(found(table, path), "/") << path;
}

TEST(RouteMatches, TriesNamesThenWildcardsThenExpressions) {
  const auto of_host = [](std::vector<std::string> hosts, std::string name) {
    conf::RouteSettings settings;
    settings.hosts = std::move(hosts);
    settings.upstream = std::move(name);
    return settings;
  };
  const RouteTable table(
      {of_host({"*"}, "any"), of_host({"~^(?<user>.+)\\.example\\.net$"}, "regex"),
       of_host({"mail.*"}, "ends"), of_host({"*.example.net", "*.org"}, "begins"),
       of_host({"mail.example.net", "a.org"}, "exact")});
  const std::pair<const char*, const char*> rows[] = {
      {"mail.example.net", "exact"}, {"A.org:8080", "exact"}, {"www.example.net", "begins"},
      {"x.org", "begins"},           {"mail.com", "ends"},    {"example.net", "any"},
  };
  for (const auto& [host, expected] : rows)
    EXPECT_EQ(found(table, "/", host), expected) << host;

  const RouteTable by_regex({of_host({"~^(?<user>.+)\\.example\\.net$"}, "regex")});
  const Route* matched = by_regex.find("Joe.Example.NET:443", "/", 80);
  ASSERT_TRUE(matched);
  EXPECT_EQ(matched->group("user", "/", "Joe.Example.NET:443"), "joe");
  EXPECT_EQ(matched->group("1", "/", "Joe.Example.NET:443"), "joe");
  EXPECT_EQ(matched->group("2", "/", "Joe.Example.NET:443"), "");
}

TEST(RouteMatches, MayBeForSomePortsOnly) {
  conf::RouteSettings secure = route("/", PathMatch::segments);
  secure.ports = {443, 8443};
  secure.upstream = "secure";
  conf::RouteSettings any = route("/", PathMatch::segments);
  any.upstream = "any";
  const RouteTable table({any, secure});
  EXPECT_EQ(found(table, "/", "a", 8443), "secure");
  EXPECT_EQ(found(table, "/", "a", 80), "any");
  EXPECT_EQ(found(RouteTable({secure}), "/", "a", 80), "none");
}

TEST(RouteMatches, MayBeForSomeListenersOnly) {
  const conf::Endpoint everywhere{"", 8080, {}};
  const conf::Endpoint inside{"127.0.0.1", 8080, {}};
  const conf::Endpoint local{"", 0, "/run/usher.sock"};
  conf::RouteSettings internal = route("/", PathMatch::segments);
  internal.listen = {inside, local};
  internal.upstream = "internal";
  conf::RouteSettings open = route("/", PathMatch::segments);
  open.upstream = "open";
  const RouteTable table({open, internal});
  const auto found_at = [](const RouteTable& routes, const Entrance& entrance) {
    const Route* route = routes.find("a", "/", entrance);
    return route ? route->upstream : "none";
  };
  EXPECT_EQ(found_at(table, {8080, inside}), "internal");
  EXPECT_EQ(found_at(table, {0, local}), "internal");
  EXPECT_EQ(found_at(table, {8080, everywhere}), "open") << "the same port";
  EXPECT_EQ(found_at(RouteTable({internal}), {8080, everywhere}), "none");
  internal.ports = {80};
  EXPECT_EQ(found_at(RouteTable({internal}), {8080, inside}), "none") << "both must be so";
}

TEST(RouteMatches, ARouteMayTrustProxiesOfItsOwn) {
  conf::RouteSettings own = route("/own", PathMatch::segments);
  own.forwarded.trusted = {{{10, 0, 0, 0}, 8}};
  conf::RouteSettings nobody = route("/nobody", PathMatch::segments);
  nobody.forwarded.nobody = true;
  const RouteTable table({own, nobody, route("/", PathMatch::segments)});
  const uint8_t proxy[] = {10, 1, 2, 3};
  const uint8_t other[] = {192, 0, 2, 1};
  ASSERT_TRUE(table.find("a", "/own")->forwarding);
  EXPECT_TRUE(table.find("a", "/own")->forwarding->trusts(proxy));
  EXPECT_FALSE(table.find("a", "/own")->forwarding->trusts(other));
  EXPECT_FALSE(table.find("a", "/nobody")->forwarding->trusts(proxy));
  EXPECT_FALSE(table.find("a", "/")->forwarding) << "as [forwarded] says";
  EXPECT_TRUE(table.any_trusts(proxy));
  EXPECT_FALSE(table.any_trusts(other));
}

// 2^40 ways to fail: without a bound this test would not end.
TEST(RouteMatches, AnExpressionThatTakesTooLongIsAnError) {
  const RouteTable table({route("^/(a+)+$", PathMatch::regex), route("/", PathMatch::segments)});
  EXPECT_EQ(found(table, "/aaaa"), "^/(a+)+$");
  const Route* gave_up = table.find("a", "/" + std::string(40, 'a') + "!", 80);
  ASSERT_TRUE(gave_up);
  EXPECT_TRUE(gave_up->gave_up);
}

}  // namespace
}  // namespace usher::routing
