// What nginx's servers say of connections: how long they last, who the client is, TLS.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/nginx/reader.h"

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
  const auto two =
      read("set_real_ip_from 10.0.0.0/8; real_ip_recursive on;",
           "server { listen 80; set_real_ip_from 10.0.0.0/8; server_name b; return 204; }");
  ASSERT_FALSE(two);
  EXPECT_THAT(two.error().detail, HasSubstr("\"real_ip_recursive\" is served for all servers"));
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
