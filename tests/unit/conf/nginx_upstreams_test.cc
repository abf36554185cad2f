// What nginx says of replicas and of requests to them, and what has no effect.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/nginx/reader.h"

namespace usher::conf {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<ReadSettings> read(const std::string& location, const std::string& upstream = "") {
  return nginx::read("/nginx.conf",
                     "upstream some { server a:1; " + upstream +
                         " } server { listen 80; client_max_body_size 0; location / { "
                         "proxy_set_header Host $host; " +
                         location + " } }",
                     false, {});
}

TEST(NginxUpstreams, ASlowStartIsTheUpstreams) {
  const auto made = read("proxy_pass http://some;", "server b:1 slow_start=30s max_fails=3;");
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_EQ(made->settings.upstreams.at(0).slow_start, 30s);
  EXPECT_FALSE(read("proxy_pass http://some;", "server b:1 slow_start=soon;"));
}

UpstreamSettings with_servers(const std::string& servers) {
  const auto made = read("proxy_pass http://some;", servers);
  EXPECT_TRUE(made) << made.error().detail;
  return made ? made->settings.upstreams.at(0) : UpstreamSettings();
}

TEST(NginxUpstreams, MaxFailsIsHowOftenAReplicaMayFail) {
  EXPECT_EQ(with_servers("").health.fall, HealthSettings().fall);
  EXPECT_EQ(with_servers("server b:1 max_fails=1;").health.fall, 1U);
  EXPECT_EQ(with_servers("server b:1 max_fails=2; server c:1 max_fails=7;").health.fall, 7U);
  EXPECT_EQ(with_servers("server b:1 max_fails=0;").health.fall, HealthSettings().fall);
  EXPECT_FALSE(read("proxy_pass http://some;", "server b:1 max_fails=many;"));
}

TEST(NginxUpstreams, NobodyIsAskedHowItIsWithoutAHealthCheck) {
  EXPECT_FALSE(with_servers("").health.active);
  const auto made = read(
      "proxy_pass http://some; health_check interval=7s fails=4 passes=3 uri=/ready jitter=1s;");
  ASSERT_TRUE(made) << made.error().detail;
  const HealthSettings& health = made->settings.upstreams.at(0).health;
  EXPECT_TRUE(health.active);
  EXPECT_EQ(health.path, "/ready");
  EXPECT_EQ(health.interval, 7s);
  EXPECT_EQ(health.fall, 4U);
  EXPECT_EQ(health.rise, 3U);
  for (const char* word : {"fails=0", "passes=many", "interval=soon", "match=welcome"})
    EXPECT_FALSE(read("proxy_pass http://some; health_check " + std::string(word) + ";")) << word;
}

TEST(NginxUpstreams, ABackupIsOne) {
  const UpstreamSettings upstream = with_servers("server b:1 backup; server c:1 weight=3 backup;");
  ASSERT_EQ(upstream.replicas.size(), 3U);
  EXPECT_FALSE(upstream.replicas[0].backup);
  EXPECT_EQ(to_string(upstream.replicas[1]), "b:1 backup");
  EXPECT_EQ(to_string(upstream.replicas[2]), "c:1 weight=3 backup");
}

RouteSettings route_of(const std::string& location) {
  const auto made = read("proxy_pass http://some; " + location);
  EXPECT_TRUE(made) << made.error().detail;
  return made ? made->settings.routes.at(0) : RouteSettings();
}

TEST(NginxUpstreams, AttemptsAndTheTimeToSendAreTheRoutes) {
  EXPECT_EQ(route_of("").attempts, 0U);
  EXPECT_EQ(route_of("proxy_next_upstream error timeout invalid_header;").attempts, 0U);
  EXPECT_EQ(route_of("proxy_next_upstream off;").attempts, 1U);
  EXPECT_EQ(route_of("proxy_next_upstream_tries 3;").attempts, 3U);
  EXPECT_FALSE(read("proxy_pass http://some; proxy_next_upstream sometimes;"));
  EXPECT_EQ(route_of("proxy_send_timeout 5s;").timeouts.send, 5s);
}

TEST(NginxUpstreams, WhatMakesAnotherReplicaBeAskedIsTheRoutes) {
  const auto causes = [](const std::string& words) {
    return route_of("proxy_next_upstream " + words + ";").retry_on;
  };
  EXPECT_THAT(route_of("").retry_on, IsEmpty());
  EXPECT_THAT(causes("error"), IsEmpty());
  EXPECT_THAT(causes("error timeout invalid_header http_502 http_429"),
              ElementsAre("timeout", "invalid_response", "502", "429"));
  for (const char* bad : {"http_501", "http_timeout", "502", "http_", "sometimes"})
    EXPECT_FALSE(read("proxy_pass http://some; proxy_next_upstream " + std::string(bad) + ";"))
        << bad;
  EXPECT_THAT(read("proxy_pass http://some; proxy_next_upstream non_idempotent;")->warnings,
              Contains(HasSubstr("only if it is safe to do twice")));
}

TEST(NginxUpstreams, HowConnectionsAreKeptIsTheUpstreams) {
  EXPECT_EQ(with_servers("keepalive 32 local;").idle_connections, 32U);
  EXPECT_EQ(with_servers("keepalive 0;").idle_connections, 0U);
  EXPECT_EQ(with_servers("keepalive_requests 100;").connection_requests, 100U);
  EXPECT_EQ(with_servers("keepalive_requests 0;").connection_requests, 1U);
  EXPECT_EQ(with_servers("keepalive_timeout 2s;").timeouts.keep_alive, 2s);
  // uvicorn's own limit comes before.
  EXPECT_EQ(with_servers("keepalive_timeout 60s;").timeouts.keep_alive, 4s);
  EXPECT_THAT(read("proxy_pass http://some;", "keepalive_timeout 60s;")->warnings,
              Contains(HasSubstr("uvicorn closes after 5 s")));
  for (const char* bad : {"keepalive some;", "keepalive_requests many;", "keepalive_timeout long;"})
    EXPECT_FALSE(read("proxy_pass http://some;", bad)) << bad;
}

TEST(NginxUpstreams, AResolverIsAskedWhereNginxAsksIt) {
  const auto upstream = [](const std::string& location, const std::string& block = "") {
    const auto made = read(location, block);
    EXPECT_TRUE(made) << made.error().detail;
    return made ? made->settings.upstreams.at(0) : UpstreamSettings();
  };
  const std::string resolver = "resolver 127.0.0.11 [::1]:5353 valid=10s ipv6=off; ";
  const auto asked = upstream(resolver + "set $to app:8080; proxy_pass http://$to;");
  EXPECT_THAT(asked.nameservers, ElementsAre("127.0.0.11", "[::1]:5353"));
  EXPECT_EQ(asked.resolve, 10s);
  EXPECT_EQ(asked.addresses, "ipv4");
  const auto of_block = upstream("proxy_pass http://some;", "server b:1 resolve; " + resolver);
  EXPECT_THAT(of_block.nameservers, ElementsAre("127.0.0.11", "[::1]:5353"));
  // A name that nginx asks the system for, at its start.
  EXPECT_THAT(upstream(resolver + "proxy_pass http://app:8080;").nameservers, IsEmpty());
  EXPECT_THAT(upstream("proxy_pass http://some;", resolver).nameservers, IsEmpty());
  for (const char* bad : {"resolver valid=10s;", "resolver 127.0.0.1 valid=soon;",
                          "resolver 127.0.0.1 ipv6=maybe;", "resolver dns.internal;"})
    EXPECT_FALSE(read(bad + std::string("set $to app:8080; proxy_pass http://$to;"))) << bad;
}

TEST(NginxUpstreams, LocationsOfOneUpstreamAgreeOnItsResolver) {
  const auto made = read(
      "resolver 127.0.0.1; set $to app:8080; proxy_pass http://$to; } location /x { "
      "proxy_set_header "
      "Host $host; resolver 127.0.0.2; set $to app:8080; proxy_pass http://$to;");
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().detail, HasSubstr("one \"resolver\" is served for each upstream"));
}

TEST(NginxUpstreams, AHeaderThatIsPassedIsNotHidden) {
  EXPECT_THAT(route_of("proxy_hide_header X-A; proxy_hide_header X-B; proxy_pass_header x-a;")
                  .remove_headers,
              ElementsAre("X-B"));
}

TEST(NginxUpstreams, RedirectsOfTheReplicaLeadThroughTheLocation) {
  const auto rules = [](const std::string& location) {
    return route_of(location).rewrite_location;
  };
  ASSERT_EQ(rules("").size(), 1U);
  EXPECT_EQ(rules("")[0].from.source, "http://some/");
  EXPECT_EQ(rules("")[0].to.source, "/");
  EXPECT_TRUE(rules("proxy_redirect off;").empty());
  const auto own = rules(
      "proxy_redirect http://$proxy_host:81/ $scheme://$host/; "
      "proxy_redirect ~*^http://[^:]+:(\\d+)(/.+)$ /p$1$2; "
      "proxy_redirect default;");
  ASSERT_EQ(own.size(), 3U);
  EXPECT_EQ(own[0].from.source, "http://some:81/");
  EXPECT_EQ(own[0].to.source, "$scheme://$host/");
  EXPECT_EQ(own[1].from.source, "~*^http://[^:]+:(\\d+)(/.+)$");
  EXPECT_EQ(own[1].to.source, "/p$1$2");
  EXPECT_EQ(own[2].from.source, "http://some/");
  EXPECT_FALSE(read("proxy_pass http://some; proxy_redirect http://a/;"));
  const auto made = read("return 404; } location /deep/ { proxy_pass http://some/x/;");
  ASSERT_TRUE(made) << made.error().detail;
  const auto deep = std::find_if(made->settings.routes.begin(), made->settings.routes.end(),
                                 [](const auto& route) { return route.path == "/deep/"; });
  ASSERT_NE(deep, made->settings.routes.end());
  EXPECT_EQ(deep->rewrite_location.at(0).from.source, "http://some/x/");
  EXPECT_EQ(deep->rewrite_location.at(0).to.source, "/deep/");
}

TEST(NginxUpstreams, ALocationMayHaveADollarInItsName) {
  const auto made = read("return 404; } location /a$/ { proxy_pass http://some/x/;");
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_EQ(made->settings.routes.size(), 2U);
  EXPECT_TRUE(made->settings.routes.at(1).rewrite_location.empty());
}

TEST(NginxUpstreams, CookiesAreChangedAsTheFileSays) {
  const RouteSettings route = route_of(
      "proxy_cookie_domain localhost example.org; proxy_cookie_path /one/ /; "
      "proxy_cookie_path ~*^/user/(.+) /u/$1; proxy_cookie_flags one httponly; "
      "proxy_cookie_flags ~ secure samesite=strict;");
  ASSERT_EQ(route.rewrite_cookie_domain.size(), 1U);
  EXPECT_EQ(route.rewrite_cookie_domain[0].to.source, "example.org");
  ASSERT_EQ(route.rewrite_cookie_path.size(), 2U);
  EXPECT_EQ(route.rewrite_cookie_path[1].to.source, "/u/$1");
  ASSERT_EQ(route.cookie_flags.size(), 2U);
  EXPECT_EQ(to_string(route.cookie_flags[0]), "one httponly");
  EXPECT_EQ(to_string(route.cookie_flags[1]), "~ secure samesite=strict");
  EXPECT_EQ(route_of("proxy_cookie_path off;").rewrite_cookie_path.size(), 0U);
  EXPECT_FALSE(read("proxy_pass http://some; proxy_cookie_flags one crisp;"));
  EXPECT_FALSE(read("proxy_pass http://some; proxy_cookie_flags $cookie_a secure;"));
}

UpstreamSettings https(const std::string& host, const std::string& more) {
  const auto made = read("proxy_pass https://" + host + "; " + more);
  EXPECT_TRUE(made) << made.error().detail;
  return made ? made->settings.upstreams.at(0) : UpstreamSettings();
}

TEST(NginxUpstreams, AReplicaIsVerifiedWhenTheFileSaysSo) {
  EXPECT_FALSE(https("inner:8443", "").tls_verify);
  EXPECT_FALSE(https("inner:8443", "proxy_ssl_trusted_certificate /ca;").tls_verify);
  const auto verified =
      https("inner:8443", "proxy_ssl_verify on; proxy_ssl_trusted_certificate /ca;");
  EXPECT_TRUE(verified.tls_verify);
  EXPECT_EQ(verified.ca, "/ca");
  EXPECT_THAT(read("proxy_pass https://inner;")->warnings,
              Contains(HasSubstr("the replica's certificate is not verified")));
}

TEST(NginxUpstreams, TheNameOfACertificateIsNginxs) {
  const std::string verify = "proxy_ssl_verify on; ";
  for (const char* same : {"", "proxy_ssl_name $proxy_host;", "proxy_ssl_name inner;"})
    EXPECT_EQ(https("inner:8443", verify + same).tls_name, "") << same;
  EXPECT_EQ(https("inner:8443", verify + "proxy_ssl_name outer;").tls_name, "outer");
  EXPECT_EQ(https("some", verify).tls_name, "some") << "the upstream block's name";
  EXPECT_EQ(https("some", "proxy_ssl_server_name on;").tls_name, "some");
  EXPECT_EQ(https("some", "").tls_name, "") << "nobody looks at it";
  const auto refused = read("proxy_pass https://inner; proxy_ssl_verify on; proxy_ssl_name $host;");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("known only with the request"));
}

TEST(NginxUpstreams, LocationsOfOneUpstreamAgreeOnItsCertificate) {
  const auto made = read(
      "proxy_pass https://some; } location /b { proxy_pass https://some; "
      "proxy_ssl_verify on;");
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().detail, HasSubstr("are served once for each upstream"));
}

TEST(NginxUpstreams, WhatWouldLeaveAPartOfARequestOutIsAnError) {
  for (const char* name : {"proxy_pass_request_headers", "proxy_pass_request_body"}) {
    const std::string pass = std::string("proxy_pass http://some; ") + name;
    EXPECT_TRUE(read(pass + " on;"));
    const auto off = read(pass + " off;");
    ASSERT_FALSE(off) << name;
    EXPECT_THAT(off.error().detail, HasSubstr(std::string(name) + "\" is served as \"on\" only"));
  }
}

TEST(NginxUpstreams, WhatHasNoEffectSaysWhy) {
  const auto made =
      read("proxy_pass http://some; sendfile on; tcp_nopush on; sendfile off; proxy_buffering off;",
           "zone some 64k;");
  ASSERT_TRUE(made);
  EXPECT_THAT(made->warnings,
              Contains(testing::StartsWith(
                  "/nginx.conf: without effect here: sendfile, tcp_nopush: files and sockets")));
  EXPECT_THAT(made->warnings, Contains(HasSubstr("here: proxy_buffering: nothing is buffered")));
  EXPECT_THAT(made->warnings, Contains(HasSubstr("here: zone: tables and zones")));
}

}  // namespace
}  // namespace usher::conf
