// What nginx's servers say of connections: how long they last, who the client is, TLS.

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/nginx/reader.h"
#include "conf/toml_reader.h"
#include "conf/toml_writer.h"

namespace usher::conf {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

Result<ReadSettings> read(const std::string& server, const std::string& others = "") {
  return nginx::read("/nginx.conf",
                     "server { listen 80; listen 443 ssl; ssl_certificate /c; "
                     "ssl_certificate_key /k; location / { return 204; } " +
                         server + " } " + others,
                     false, {});
}

Settings settings_of(const std::string& server, const std::string& others = "") {
  const auto made = read(server, others);
  EXPECT_TRUE(made) << made.error().detail;
  return made ? made->settings : Settings();
}

TEST(NginxServers, AConnectionCarriesSoManyRequests) {
  const auto most = [](const std::string& server, const std::string& others = "") {
    return settings_of(server, others).limits.connection_requests;
  };
  EXPECT_EQ(most(""), 0U);
  EXPECT_EQ(most("keepalive_requests 100;"), 100U);
  EXPECT_EQ(most("keepalive_requests 0;"), 1U);
  EXPECT_EQ(most("keepalive_timeout 0;"), 1U);
  EXPECT_EQ(
      most("keepalive_requests 7;", "server { listen 80; keepalive_requests 9; return 204; }"), 9U);
  EXPECT_FALSE(read("keepalive_requests all;"));
}

TEST(NginxServers, TheClientIsTheLastAddressUnlessProxiesAreFollowed) {
  const auto recursive = [](const std::string& server) {
    return settings_of("set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; " + server)
        .forwarded.recursive;
  };
  EXPECT_FALSE(recursive(""));
  EXPECT_FALSE(recursive("real_ip_recursive off;"));
  EXPECT_TRUE(recursive("real_ip_recursive on;"));
  EXPECT_TRUE(settings_of("").forwarded.recursive);
}

const RouteSettings* route_of(const Settings& settings, std::string_view host,
                              std::string_view path = "/") {
  for (const RouteSettings& route : settings.routes) {
    const bool named = route.host == host ||
                       std::find(route.hosts.begin(), route.hosts.end(), host) != route.hosts.end();
    if (named && route.path == path) return &route;
  }
  return nullptr;
}

TEST(NginxServers, EachServerAndLocationHasItsOwnTrust) {
  const Settings settings = settings_of(
      "server_name a; set_real_ip_from 10.0.0.0/8; location /in/ { set_real_ip_from unix:; "
      "real_ip_header X-Forwarded-For; real_ip_recursive on; return 204; }",
      "server { listen 80; server_name b; return 204; }");
  EXPECT_TRUE(settings.forwarded.trusted.empty()) << "the others believe nobody";
  const auto* a = route_of(settings, "a");
  const auto* inside = route_of(settings, "a", "/in/");
  const auto* b = route_of(settings, "b");
  ASSERT_TRUE(a && inside && b);
  EXPECT_EQ(a->forwarded, (TrustSettings{{Cidr{{10, 0, 0, 0}, 8}}, false, "X-Real-IP", false}));
  EXPECT_EQ(inside->forwarded, (TrustSettings{{Cidr{}}, false, "X-Forwarded-For", true}));
  EXPECT_EQ(b->forwarded, TrustSettings());
  const auto again = read_toml("usher.toml", to_toml(settings));
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ(again->settings, settings) << "import-nginx keeps it";
}

TEST(NginxServers, AreToldApartByTheAddressTheyListenOn) {
  const Settings settings =
      settings_of("server_name a;",
                  "server { listen 127.0.0.1:80; server_name b; return 204; } "
                  "server { listen 81; server_name c; return 204; }");
  ASSERT_EQ(settings.listen.size(), 4u);
  EXPECT_EQ(to_string(settings.listen[0].address), ":80");
  EXPECT_EQ(to_string(settings.listen[2].address), "127.0.0.1:80");
  const auto where = [&](const char* name) {
    for (const RouteSettings& route : settings.routes) {
      std::string text;
      for (const auto& address : route.listen)
        text += to_string(address) + " ";
      for (const auto port : route.ports)
        text += std::to_string(port) + " ";
      if (std::find(route.hosts.begin(), route.hosts.end(), name) != route.hosts.end() ||
          route.host == name)
        return text;
      // Each is the default of its address, and there alone.
      if (route.host == "*" && name == std::string_view("*" + text)) return text;
    }
    return std::string("nowhere");
  };
  EXPECT_EQ(where("*:443 :80 "), ":443 :80 ");
  EXPECT_EQ(where("*127.0.0.1:80 "), "127.0.0.1:80 ");
  EXPECT_EQ(where("*81 "), "81 ") << "a port that one address alone has says enough";
}

TEST(NginxServers, OneSocketServesBothFamiliesUnlessServersTellThemApart) {
  const auto listen = [](const std::string& first, const std::string& second) {
    const Settings settings =
        settings_of(first, "server { " + second + " server_name b; return 204; }");
    std::string text;
    for (const ListenSettings& each : settings.listen)
      text += to_string(each.address) + (each.tls ? "s " : " ");
    return text;
  };
  EXPECT_EQ(listen("listen [::]:80;", "listen 80; listen [::]:80;"), ":80 :443s ");
  EXPECT_EQ(listen("", "listen [::]:81;"), ":80 :443s :81 ");
  EXPECT_EQ(listen("listen [::]:80;", "listen 80;"), "0.0.0.0:80 :443s [::]:80 ");
  EXPECT_EQ(listen("listen [::]:80;", "listen 80; listen [::]:80 default_server;"),
            "0.0.0.0:80 :443s [::]:80 ");
}

TEST(NginxServers, ReadWhatNginxReadsOfHeaders) {
  const auto odd = [](const std::string& says) {
    return settings_of(says).routes.front().odd_headers;
  };
  EXPECT_EQ(odd(""), OddHeaders::drop);
  EXPECT_EQ(odd("underscores_in_headers off; ignore_invalid_headers on;"), OddHeaders::drop);
  EXPECT_EQ(odd("underscores_in_headers on;"), OddHeaders::underscores);
  EXPECT_EQ(odd("ignore_invalid_headers off;"), OddHeaders::pass);
}

TEST(NginxServers, SessionsLastAsLongAsTheFileSays) {
  EXPECT_EQ(settings_of("").tls.ticket_rotate, TlsSettings().ticket_rotate);
  EXPECT_EQ(settings_of("ssl_session_timeout 1d;").tls.ticket_rotate, 12h);
  EXPECT_EQ(settings_of("ssl_session_timeout 1;").tls.ticket_rotate, 1s);
  EXPECT_FALSE(read("ssl_session_timeout long;"));
}

TEST(NginxServers, SessionsAreKeptHereWhereThereAreNoTickets) {
  const auto kept = [](const std::string& cache) {
    return settings_of("ssl_session_tickets off; ssl_session_cache " + cache + ";")
        .tls.session_cache;
  };
  EXPECT_EQ(kept("shared:SSL:10m"), 40'960U);
  EXPECT_EQ(kept("builtin"), 20'480U);
  EXPECT_EQ(kept("builtin:1000 shared:SSL:1m"), 4'096U);
  EXPECT_EQ(kept("off"), 0U);
  EXPECT_EQ(kept("none"), 0U);
  const auto by_tickets = read("ssl_session_cache shared:SSL:10m;");
  ASSERT_TRUE(by_tickets);
  EXPECT_EQ(by_tickets->settings.tls.session_cache, 0U);
  EXPECT_THAT(by_tickets->warnings, Contains(HasSubstr("clients keep their sessions as tickets")));
  for (const char* bad : {"shared", "shared:SSL", "shared:SSL:much", "builtin:x", "some"})
    EXPECT_FALSE(read("ssl_session_cache " + std::string(bad) + ";")) << bad;
}

TEST(NginxServers, FilesOfTlsAreUsed) {
  EXPECT_EQ(settings_of("ssl_dhparam /dh;").tls.dh_parameters, "/dh");
  EXPECT_EQ(settings_of("ssl_trusted_certificate /ca;").tls.trusted_ca, "/ca");
  const TlsSettings asks = settings_of("ssl_verify_client on; ssl_trusted_certificate /ca;").tls;
  EXPECT_EQ(asks.client_certificate, "require");
  EXPECT_EQ(asks.trusted_ca, "/ca");
  EXPECT_EQ(asks.client_ca, "");
}

// Who one server trusts must not get into another one.
TEST(NginxServers, ServersThatAskForCertificatesTrustTheSame) {
  const std::string other =
      "server { listen 443 ssl; server_name b; ssl_certificate /c; ssl_certificate_key /k; "
      "ssl_verify_client on; ssl_trusted_certificate /b; return 204; }";
  const auto made = read("ssl_verify_client on; ssl_trusted_certificate /a;", other);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().detail, HasSubstr("served for all servers alike"));
}

}  // namespace
}  // namespace usher::conf
