#include "control/probe_host.h"

#include <gtest/gtest.h>

#include <utility>

namespace usher::control {
namespace {

conf::RouteSettings route(std::string upstream, std::vector<std::string> hosts,
                          const char* host_header = nullptr) {
  conf::RouteSettings made;
  made.upstream = std::move(upstream);
  made.hosts = std::move(hosts);
  if (host_header) made.set_headers.push_back({"Host", *conf::parse_template(host_header)});
  return made;
}

std::string host_with(std::vector<conf::RouteSettings> routes, std::string host = {}) {
  conf::Settings settings;
  settings.routes = std::move(routes);
  conf::UpstreamSettings upstream;
  upstream.name = "app";
  upstream.health.host = std::move(host);
  return probe_host(settings, upstream);
}

TEST(ProbeHost, IsTheOneThatIsAskedFor) {
  EXPECT_EQ(host_with({route("app", {"chat.example.org"})}, "probe.example.org"),
            "probe.example.org");
}

TEST(ProbeHost, IsTheFirstNameOfARouteThatLeadsThere) {
  EXPECT_EQ(host_with({route("other", {"other.example.org"}),
                       route("app", {"*.example.org", "~^chat", "chat.example.org", "b.org"})}),
            "chat.example.org");
  conf::RouteSettings single = route("app", {});
  single.host = "chat.example.org";
  EXPECT_EQ(host_with({single}), "chat.example.org");
}

TEST(ProbeHost, IsWhatARouteSets) {
  EXPECT_EQ(host_with({route("app", {"chat.example.org"}, "inner.example.org")}),
            "inner.example.org");
  EXPECT_EQ(host_with({route("app", {"chat.example.org"}, "$host")}), "chat.example.org");
  EXPECT_EQ(host_with({route("app", {"chat.example.org"}, "$http_host:8080")}),
            "chat.example.org:8080");
  EXPECT_EQ(host_with({route("app", {"chat.example.org"}, "$proxy_host")}), "app");
}

TEST(ProbeHost, IsNotKnownBeforeARequestWhereAnyNameIsServed) {
  EXPECT_EQ(host_with({}), "");
  EXPECT_EQ(host_with({route("app", {"*", "*.example.org"})}), "");
  EXPECT_EQ(host_with({route("app", {"*"}, "$host")}), "");
  EXPECT_EQ(host_with({route("app", {"chat.example.org"}, "$arg_host")}), "");
  EXPECT_EQ(host_with({route("app", {"*"}), route("app", {"chat.example.org"})}),
            "chat.example.org");
}

}  // namespace
}  // namespace usher::control
