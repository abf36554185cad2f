#include "protocol/forwarding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace usher::protocol {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

void fill(Headers& headers, const Fields& fields) {
  for (const auto& [name, value] : fields)
    headers.append(name, value);
}

Fields fields_of(const Headers& headers) {
  Fields fields;
  for (const Field& field : headers)
    fields.emplace_back(field.name, field.value);
  return fields;
}

Fields stripped(const Fields& fields) {
  Headers headers;
  fill(headers, fields);
  strip_hop_by_hop(headers);
  return fields_of(headers);
}

TEST(StripHopByHop, RemovesWhatBelongsToOneConnection) {
  EXPECT_EQ(stripped({{"A", "1"},
                      {"Connection", "keep-alive"},
                      {"Keep-Alive", "timeout=5"},
                      {"Proxy-Connection", "keep-alive"},
                      {"Proxy-Authenticate", "x"},
                      {"Proxy-Authorization", "x"},
                      {"Proxy", "x"},
                      {"PROXY_Features", "x"},
                      {"TE", "gzip"},
                      {"Trailer", "A"},
                      {"Transfer-Encoding", "chunked"},
                      {"Content-Length", "5"},
                      {"Upgrade", "websocket"},
                      {"HTTP2-Settings", "x"},
                      {"Transfer_Encoding", "chunked"},
                      {"Content_Length", "5"},
                      {"a", "2"}}),
            (Fields{{"A", "1"}, {"a", "2"}}));
}

TEST(StripHopByHop, RemovesWhatConnectionNames) {
  EXPECT_EQ(stripped({{"Connection", "X-One , x-two"},
                      {"connection", "X-Three,, close"},
                      {"x-one", "1"},
                      {"X-Two", "2"},
                      {"X-Three", "3"},
                      {"Close", "stays? no: close is an option, not a field"},
                      {"X-Four", "4"}}),
            (Fields{{"Close", "stays? no: close is an option, not a field"}, {"X-Four", "4"}}));
}

TEST(StripHopByHop, LetsNoClientRemoveWhatAMessageNeeds) {
  const Fields needed{
      {"Host", "a"},         {"Cookie", "a=b"},          {"Authorization", "x"},
      {"Origin", "x"},       {"X-Forwarded-For", "x"},   {"X-Real-IP", "x"},
      {"Content-Type", "x"}, {"Set-Cookie", "x"},        {"Cache-Control", "x"},
      {"X-Api-Key", "x"},    {"Sec-WebSocket-Key", "x"}, {"Sec-WebSocket-Protocol", "x"}};
  Fields fields = needed;
  for (const auto& [name, value] : needed)
    fields.emplace_back("Connection", name);
  EXPECT_EQ(stripped(fields), needed);
}

TEST(StripHopByHop, KeepsThatTrailersAreTaken) {
  EXPECT_EQ(stripped({{"TE", "gzip;q=1, Trailers"}, {"Connection", "TE"}}),
            (Fields{{"TE", "trailers"}}));
}

conf::ForwardedSettings settings_with_trust() {
  conf::ForwardedSettings settings;
  settings.trusted = {
      {.address = {10, 0, 0, 0}, .bits = 8},
      {.address = {192, 0, 2, 64}, .bits = 26},
      {.address = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, .bits = 33},
      {.address = {203, 0, 113, 7}, .bits = 32}};
  return settings;
}

struct TrustRow {
  std::vector<uint8_t> ip;
  bool trusted;
};

TEST(Forwarding, TellsTheClientsCertificateAndNobodyElseCan) {
  const Forwarding forwarding(settings_with_trust());
  const std::vector<uint8_t> proxy{10, 0, 0, 1}, stranger{1, 2, 3, 4};
  for (const auto& ip : {proxy, stranger}) {
    for (const bool shown : {false, true}) {
      RequestHead head;
      head.headers.append("X-Client-Cert-Subject", "CN=forged");
      head.headers.append("x_client-cert_subject", "CN=forged");
      head.headers.append("X-CLIENT-CERT-FINGERPRINT", "00");
      ClientFacts client{.ip = ip, .ip_text = "a"};
      if (shown) {
        client.certificate_subject = "CN=alice";
        client.certificate_fingerprint = "abcd";
      }
      forwarding.strip_identity(head.headers, client);
      forwarding.add_forwarded(head, client);
      const std::string subject = shown ? "CN=alice" : "none";
      EXPECT_EQ(head.headers.get("X-Client-Cert-Subject").value_or("none"), subject);
      EXPECT_EQ(head.headers.get("X-Client-Cert-Fingerprint").value_or("none"),
                shown ? "abcd" : "none");
      EXPECT_FALSE(head.headers.has("x_client-cert_subject"));
    }
  }
}

TEST(Forwarding, TrustsExactlyTheNetworksNamed) {
  const Forwarding forwarding(settings_with_trust());
  for (const TrustRow& row : std::vector<TrustRow>{
           {{10, 0, 0, 0}, true},
           {{10, 255, 255, 255}, true},
           {{11, 0, 0, 0}, false},
           {{9, 255, 255, 255}, false},
           {{192, 0, 2, 64}, true},
           {{192, 0, 2, 127}, true},
           {{192, 0, 2, 63}, false},
           {{192, 0, 2, 128}, false},
           {{203, 0, 113, 7}, true},
           {{203, 0, 113, 6}, false},
           {{0x20, 0x01, 0x0d, 0xb8, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, true},
           {{0x20, 0x01, 0x0d, 0xb8, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, false},
           {{}, false},
       }) {
    EXPECT_EQ(forwarding.trusts(row.ip), row.trusted) << testing::PrintToString(row.ip);
  }
  conf::ForwardedSettings everyone;
  everyone.trusted = {{.address = {0, 0, 0, 0}, .bits = 0}};
  const std::vector<uint8_t> any{1, 2, 3, 4};
  EXPECT_TRUE(Forwarding(everyone).trusts(any));
}

constexpr uint8_t stranger_ip[] = {198, 51, 100, 9};
constexpr uint8_t proxy_ip[] = {10, 1, 2, 3};
const ClientFacts stranger{
    .ip = stranger_ip, .ip_text = "198.51.100.9", .secure = true, .local_port = 8443};
const ClientFacts proxy{.ip = proxy_ip, .ip_text = "10.1.2.3", .secure = false, .local_port = 80};

Fields forwarded(const Fields& fields, const ClientFacts& client) {
  RequestHead head;
  fill(head.headers, fields);
  head.authority = "chat.example:8443";
  const Forwarding forwarding(settings_with_trust());
  forwarding.strip_identity(head.headers, client);
  forwarding.add_forwarded(head, client);
  return fields_of(head.headers);
}

const Fields said_of_stranger{{"X-Forwarded-For", "198.51.100.9"},
                              {"X-Forwarded-Proto", "https"},
                              {"X-Forwarded-Host", "chat.example:8443"},
                              {"X-Forwarded-Port", "8443"},
                              {"X-Real-IP", "198.51.100.9"}};

TEST(Forwarding, SaysWhoTheClientIs) { EXPECT_EQ(forwarded({}, stranger), said_of_stranger); }

TEST(Forwarding, BelievesNothingThatAStrangerSays) {
  EXPECT_EQ(forwarded({{"X-Forwarded-For", "1.2.3.4"},
                       {"x-forwarded-for", "10.0.0.1"},
                       {"X_Forwarded_For", "1.2.3.4"},
                       {"X-Forwarded_For", "1.2.3.4"},
                       {"X-Forwarded-Proto", "http"},
                       {"X-Forwarded-Host", "evil"},
                       {"X-Forwarded-Port", "1"},
                       {"X-Forwarded-Server", "evil"},
                       {"X-Forwarded-Prefix", "/evil"},
                       {"X-Forwarded-", "evil"},
                       {"x_real_ip", "1.2.3.4"},
                       {"X-Real-IP", "1.2.3.4"},
                       {"Forwarded", "for=1.2.3.4"}},
                      stranger),
            said_of_stranger);
}

TEST(Forwarding, AppendsToTheChainOfATrustedPeerAndBelievesIt) {
  EXPECT_EQ(forwarded({{"X-Forwarded-For", "198.51.100.1"},
                       {"A", "b"},
                       {"X-Forwarded-For", "10.9.9.9"},
                       {"X-Forwarded-Proto", "https"},
                       {"X-Forwarded-Host", "public.example"},
                       {"X-Forwarded-Port", "443"},
                       {"X-Forwarded-Prefix", "/app"},
                       {"X_Forwarded_Proto", "http"},
                       {"X-Real-IP", "198.51.100.1"},
                       {"Forwarded", "for=x"}},
                      proxy),
            (Fields{{"A", "b"},
                    {"X-Forwarded-Prefix", "/app"},
                    {"X-Forwarded-For", "198.51.100.1, 10.9.9.9, 10.1.2.3"},
                    {"X-Forwarded-Proto", "https"},
                    {"X-Forwarded-Host", "public.example"},
                    {"X-Forwarded-Port", "443"},
                    {"X-Real-IP", "198.51.100.1"}}));
}

// Open WebUI takes the first element for the client.
TEST(Forwarding, LeavesOutWhatAClientSaidBeforeATrustedPeerSpoke) {
  for (const auto& [said, passed] :
       Fields{{"6.6.6.6, 198.51.100.1", "198.51.100.1, 10.1.2.3"},
              {"6.6.6.6, 10.0.0.9, 198.51.100.1, 10.0.0.8", "198.51.100.1, 10.0.0.8, 10.1.2.3"},
              {"6.6.6.6, garbage", "10.1.2.3"},
              {"198.51.100.1:4711", "198.51.100.1, 10.1.2.3"}}) {
    EXPECT_THAT(forwarded({{"X-Forwarded-For", said}}, proxy),
                testing::Contains(Fields::value_type{"X-Forwarded-For", passed}))
        << said;
  }
}

TEST(Forwarding, FillsInWhatATrustedPeerLeftOut) {
  EXPECT_EQ(forwarded({}, proxy), (Fields{{"X-Forwarded-For", "10.1.2.3"},
                                          {"X-Forwarded-Proto", "http"},
                                          {"X-Forwarded-Host", "chat.example:8443"},
                                          {"X-Forwarded-Port", "80"},
                                          {"X-Real-IP", "10.1.2.3"}}));
  EXPECT_EQ(
      forwarded({{"X-Forwarded-For", "198.51.100.1"}, {"X-Forwarded-Port", "x"}}, proxy).back(),
      (Fields::value_type{"X-Real-IP", "198.51.100.1"}));
}

TEST(Forwarding, SaysTheSchemeInTheOnlyWordsThatAreUnderstood) {
  for (const auto& [said, passed] : Fields{{"https", "https"},
                                           {"HTTPS", "https"},
                                           {"wss", "https"},
                                           {"http", "http"},
                                           {"ws", "http"},
                                           {"https, http", "https"},
                                           {"gopher", "http"},
                                           {"", "http"},
                                           {"on", "http"}}) {
    EXPECT_EQ(forwarded({{"X-Forwarded-Proto", said}}, proxy)[1].second, passed) << said;
  }
}

TEST(Forwarding, RemovesIdentitiesThatAStrangerClaims) {
  for (const std::string name :
       {"X-Forwarded-Email", "x-forwarded-email", "X_Forwarded_Email", "X-User-Email",
        "X_USER_EMAIL", "X-User_Email", "Remote-User", "remote_user", "Tailscale-User-Login",
        "X-Auth-Request-User", "Cf-Access-Authenticated-User-Email",
        "cf_access_authenticated_user_email", "X-User-Role"}) {
    EXPECT_EQ(forwarded({{name, "admin@example.org"}}, stranger), said_of_stranger) << name;
    EXPECT_EQ(forwarded({{name, "admin@example.org"}}, proxy).size(),
              name.find('_') != std::string::npos && name.starts_with("X_F") ? 5u : 6u)
        << name;
  }
}

TEST(Forwarding, LeavesOtherFieldsOfAStrangerAlone) {
  const Fields fields{{"X-User-Agent-Hint", "a"},  {"X-User", "b"},
                      {"Remote-Users", "c"},       {"Cookie", "d"},
                      {"X-User-Emai", "e"},        {"Y-User-Email", "f"},
                      {std::string(200, 'x'), "g"}};
  auto expected = fields;
  expected.insert(expected.end(), said_of_stranger.begin(), said_of_stranger.end());
  EXPECT_EQ(forwarded(fields, stranger), expected);
}

TEST(Forwarding, StripsWhatTheOperatorNames) {
  conf::ForwardedSettings settings;
  settings.strip = {"X_Custom_Id", "", std::string(100, 'x')};
  const Forwarding forwarding(settings);
  Headers headers;
  fill(headers, {{"x-custom-id", "1"}, {"X-User-Email", "not named, so kept"}});
  forwarding.strip_identity(headers, stranger);
  EXPECT_EQ(fields_of(headers), (Fields{{"X-User-Email", "not named, so kept"}}));
}

TEST(Forwarding, LetsNobodySayInTrailersWhatHeadsMayNot) {
  conf::ForwardedSettings settings;
  settings.client_header = "CF-Connecting-IP";
  const Forwarding forwarding(settings);
  Headers trailers;
  fill(trailers, {{"Digest", "1"},
                  {"X-User-Email", "2"},
                  {"x_user_email", "3"},
                  {"X-Forwarded-For", "4"},
                  {"X_Forwarded_For", "5"},
                  {"Forwarded", "6"},
                  {"cf_connecting_ip", "7"},
                  {"X-Request-Id", "8"},
                  {"traceparent", "9"},
                  {"X-Client-Cert-Subject", "10"},
                  {"Proxy", "11"},
                  {"Authorization", "12"}});
  forwarding.strip_trailers(trailers, stranger);
  EXPECT_EQ(fields_of(trailers), (Fields{{"Digest", "1"}}));
}

TEST(Forwarding, StripsNamesOfAnyLength) {
  for (const size_t length : {1u, 61u, 62u, 63u, 64u, 65u, 128u, 129u, 500u}) {
    const std::string name = "X" + std::string(length - 1, 'a');
    conf::ForwardedSettings settings;
    settings.strip = {name};
    Headers headers;
    fill(headers, {{name, "1"}, {"x" + std::string(length - 1, 'A'), "2"}, {name + "a", "3"}});
    Forwarding(settings).strip_identity(headers, stranger);
    EXPECT_EQ(fields_of(headers), (Fields{{name + "a", "3"}})) << length;
  }
}

TEST(Forwarding, StripsEverySpellingThatAServerMayTakeForTheName) {
  Headers headers;
  fill(headers,
       {{"X.User.Email", "1"}, {"X!User~Email", "2"}, {"X-User_Email", "3"}, {"XUserEmail", "4"}});
  Forwarding(conf::ForwardedSettings()).strip_identity(headers, stranger);
  EXPECT_EQ(fields_of(headers), (Fields{{"XUserEmail", "4"}}));
  EXPECT_EQ(forwarded({{"X.Forwarded.For", "10.0.0.1"}, {"X!Real~IP", "10.0.0.1"}}, stranger),
            said_of_stranger);
}

TEST(Forwarding, BelievesWhoComesByAUnixSocketIfTheSettingsDo) {
  ClientFacts local = stranger;
  local.ip = {};
  local.ip_text = "unix:";
  Headers headers;
  fill(headers, {{"X-Forwarded-For", "203.0.113.7"}});
  conf::ForwardedSettings settings;
  settings.trusted = {{{0, 0, 0, 0}, 0}};
  EXPECT_EQ(Forwarding(settings).client_address(headers, local), "unix:");
  settings.trusted.emplace_back();
  EXPECT_EQ(Forwarding(settings).client_address(headers, local), "203.0.113.7");
  const uint8_t any[] = {192, 0, 2, 1};
  settings.trusted = {{}};
  EXPECT_FALSE(Forwarding(settings).trusts(any));
}

struct AddressRow {
  std::string what;
  Fields fields;
  std::string address;
};

TEST(Forwarding, FindsTheClientBehindTrustedPeers) {
  const Forwarding forwarding(settings_with_trust());
  for (const AddressRow& row : std::vector<AddressRow>{
           {"no chain", {}, "10.1.2.3"},
           {"one", {{"X-Forwarded-For", "198.51.100.1"}}, "198.51.100.1"},
           {"forged before it", {{"X-Forwarded-For", "1.1.1.1, 198.51.100.1"}}, "198.51.100.1"},
           {"trusted hops",
            {{"X-Forwarded-For", "1.1.1.1, 198.51.100.1, 10.0.0.9,10.0.0.8"}},
            "198.51.100.1"},
           {"two fields",
            {{"X-Forwarded-For", "198.51.100.1"}, {"x-forwarded-for", "10.0.0.9"}},
            "198.51.100.1"},
           {"all trusted", {{"X-Forwarded-For", "10.0.0.7, 10.0.0.9"}}, "10.0.0.7"},
           {"garbage ends the walk",
            {{"X-Forwarded-For", "1.1.1.1, garbage, 10.0.0.9"}},
            "10.0.0.9"},
           {"garbage alone", {{"X-Forwarded-For", "unknown"}}, "10.1.2.3"},
           {"with a port", {{"X-Forwarded-For", "198.51.100.1:4711"}}, "198.51.100.1"},
           {"IPv6", {{"X-Forwarded-For", "2001:db9::1"}}, "2001:db9::1"},
           {"IPv6 with a port", {{"X-Forwarded-For", "[2001:db9::1]:4711"}}, "2001:db9::1"},
           {"trusted IPv6", {{"X-Forwarded-For", "198.51.100.1, 2001:db8::1"}}, "198.51.100.1"},
           {"empty", {{"X-Forwarded-For", ""}}, "10.1.2.3"},
       }) {
    Headers headers;
    fill(headers, row.fields);
    EXPECT_EQ(forwarding.client_address(headers, proxy), row.address) << row.what;
    EXPECT_EQ(forwarding.client_address(headers, stranger), "198.51.100.9") << row.what;
  }
}

// As nginx's real_ip_recursive off. Who vouches for whom is as before.
TEST(Forwarding, TakesTheLastAddressForTheClientIfItShallFollowNoProxies) {
  conf::ForwardedSettings settings = settings_with_trust();
  settings.recursive = false;
  const Forwarding forwarding(settings);
  RequestHead head;
  fill(head.headers, {{"X-Forwarded-For", "198.51.100.1, 10.0.0.9"}, {"X-Real-IP", "6.6.6.6"}});
  EXPECT_EQ(forwarding.client_address(head.headers, proxy), "10.0.0.9");
  EXPECT_EQ(forwarding.client_address(Headers(), proxy), "10.1.2.3");
  EXPECT_EQ(forwarding.client_address(head.headers, stranger), "198.51.100.9");
  forwarding.add_forwarded(head, proxy);
  EXPECT_EQ(head.headers.get("X-Forwarded-For"), "198.51.100.1, 10.0.0.9, 10.1.2.3");
  EXPECT_EQ(head.headers.get("X-Real-IP"), "10.0.0.9");
}

}  // namespace
}  // namespace usher::protocol
