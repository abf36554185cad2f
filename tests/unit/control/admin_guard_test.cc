#include "control/admin_guard.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace usher::control {
namespace {

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

const SocketAddress loopback = *SocketAddress::from_ip("127.0.0.1", 40'000);
const SocketAddress listener = *SocketAddress::from_ip("127.0.0.1", 9180);
const SocketAddress neighbour = *SocketAddress::from_ip("10.0.0.9", 40'000);
const SocketAddress own = *SocketAddress::from_ip("10.0.0.5", 9180);
const SocketAddress local_socket = *SocketAddress::from_unix_path("/run/usher/admin.sock");

struct Asked {
  std::string_view method = "GET";
  std::string_view target = "/api/status";
  std::string_view host = "127.0.0.1:9180";
  Fields fields{};
  SocketAddress peer = loopback;
  SocketAddress local = listener;
};

// 0: it is carried out.
uint16_t status(const Asked& asked, const conf::AdminSettings& settings = {}) {
  protocol::RequestHead head;
  head.method = asked.method;
  head.target = asked.target;
  head.authority = asked.host;
  for (const auto& [name, value] : asked.fields)
    head.headers.append(name, value);
  const auto refusal =
      AdminGuard(settings, "Node-1.example.org").refuse(head, asked.peer, asked.local);
  return refusal ? refusal->status : 0;
}

TEST(AdminGuard, AnswersUnderItsOwnNamesAlone) {
  for (const std::string_view host :
       {"127.0.0.1:9180", "127.0.0.1", "127.8.8.8:1", "[::1]:9180", "localhost:9180", "LocalHost.",
        "usher.localhost", "node-1.example.org:9180", ""}) {
    EXPECT_EQ(status({.host = host}), 0) << host;
  }
  for (const std::string_view host :
       {"evil.example:9180", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example",
        "notlocalhost", "10.0.0.5:9180", "[::2]", "node-1.example.org.evil.example"}) {
    EXPECT_EQ(status({.host = host}), 421) << host;
  }
  EXPECT_EQ(status({.host = "10.0.0.5:9180", .local = own}), 0);
  EXPECT_EQ(status({.host = "10.0.0.6:9180", .local = own}), 421);
  EXPECT_EQ(status({.host = "evil.example", .peer = local_socket, .local = local_socket}), 0)
      << "no browser comes by a unix socket";
}

TEST(AdminGuard, AnswersUnderTheNamesThatTheSettingsGiveIt) {
  conf::AdminSettings settings;
  settings.address = conf::Endpoint{"Admin.internal", 9180, {}};
  EXPECT_EQ(status({.host = "admin.internal:9180"}, settings), 0);
  EXPECT_EQ(status({.host = "usher:9180"}, settings), 421);
  settings.hosts = {"usher"};
  EXPECT_EQ(status({.host = "Usher:9180"}, settings), 0);
  EXPECT_EQ(status({.host = "evil.example"}, settings), 421);
  settings.hosts = {"*"};
  EXPECT_EQ(status({.host = "evil.example"}, settings), 0);
}

TEST(AdminGuard, LetsProbesAndMetricsInUnderAnyName) {
  for (const std::string_view path : {"/healthz", "/readyz", "/metrics"}) {
    const Asked asked{.target = path, .host = "usher:9180", .peer = neighbour, .local = own};
    EXPECT_EQ(status(asked), 0) << path;
    conf::AdminSettings settings;
    settings.token = "a token of some length";
    EXPECT_EQ(status(asked, settings), 0) << path;
    settings.hosts = {"usher"};
    EXPECT_EQ(status(asked, settings), 0) << path;
    settings.hosts = {"another"};
    EXPECT_EQ(status(asked, settings), path == "/metrics" ? 421 : 0) << path;
  }
}

TEST(AdminGuard, RefusesWhatAnotherSiteHasSent) {
  const std::string_view mine = "http://127.0.0.1:9180";
  EXPECT_EQ(status({.fields = {{"Origin", mine}, {"Sec-Fetch-Site", "same-origin"}}}), 0);
  EXPECT_EQ(status({.fields = {{"Sec-Fetch-Site", "none"}}}), 0);
  for (const std::string_view origin :
       {"http://evil.example", "null", "http://127.0.0.1:3000", "http://127.0.0.1", "", "https://"})
    EXPECT_EQ(status({.fields = {{"Origin", origin}}}), 403) << origin;
  for (const std::string_view site : {"cross-site", "same-site", "something new"})
    EXPECT_EQ(status({.fields = {{"Sec-Fetch-Site", site}}}), 403) << site;
  const Fields link{{"Sec-Fetch-Site", "cross-site"},
                    {"Sec-Fetch-Mode", "navigate"},
                    {"Sec-Fetch-Dest", "document"}};
  EXPECT_EQ(status({.fields = link}), 0) << "a link leads here";
  Fields posted = link;
  posted.emplace_back("X-Usher-Admin", "1");
  EXPECT_EQ(status({.method = "POST", .target = "/api/reload", .fields = posted}), 403);
  EXPECT_EQ(status({.method = "OPTIONS", .fields = {{"Origin", "http://evil.example"}}}), 403)
      << "a browser that asks whether it may is not told yes";
}

TEST(AdminGuard, WantsOfAChangeWhatAFormCannotSend) {
  const auto post = [](Fields fields) {
    return status({.method = "POST", .target = "/api/reload", .fields = std::move(fields)});
  };
  EXPECT_EQ(post({}), 403);
  EXPECT_EQ(post({{"Content-Type", "application/x-www-form-urlencoded"}}), 403);
  EXPECT_EQ(post({{"Content-Type", "text/plain; application/json"}}), 403);
  EXPECT_EQ(post({{"X-Usher-Admin", "1"}}), 0);
  EXPECT_EQ(post({{"X-Requested-With", "curl"}}), 0);
  EXPECT_EQ(post({{"Content-Type", "application/json; charset=utf-8"}}), 0);
  EXPECT_EQ(status({.method = "PUT", .target = "/api/acme/x"}), 0);
  EXPECT_EQ(status({.method = "DELETE", .target = "/api/acme/x"}), 0);
}

TEST(AdminGuard, WantsATokenOfWhoIsNotOnThisHost) {
  const Asked far{.host = "10.0.0.5:9180", .peer = neighbour, .local = own};
  EXPECT_EQ(status(far), 403);
  EXPECT_EQ(status({.host = "10.0.0.5:9180", .peer = local_socket, .local = own}), 0);
  conf::AdminSettings settings;
  settings.token = "a-token-of-some-length";
  EXPECT_EQ(status(far, settings), 401);
  EXPECT_EQ(status({}, settings), 401) << "of all, where there is one";
  const auto with = [&](std::string_view value) {
    Asked asked = far;
    asked.fields = {{"Authorization", value}};
    return status(asked, settings);
  };
  EXPECT_EQ(with("Bearer a-token-of-some-length"), 0);
  EXPECT_EQ(with("bearer  a-token-of-some-length"), 0);
  EXPECT_EQ(with("Bearer a-token-of-some-lengtH"), 401);
  EXPECT_EQ(with("Bearer a-token-of-some-length2"), 401);
  EXPECT_EQ(with("Bearer "), 401);
  EXPECT_EQ(with("Basic a-token-of-some-length"), 401);
}

}  // namespace
}  // namespace usher::control
