#include "routing/affinity_cookie.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/routing/fleet.h"
#include "tls/digest.h"

namespace usher::routing {
namespace {

AffinityCookies cookies_with(std::vector<std::string> secrets) {
  return AffinityCookies(&tls::make_hmac_sha256, {std::move(secrets)});
}

constexpr std::string_view client = "AAAAAAAAAAAAAAAAAAAAAA";

TEST(AffinityCookies, OpenWhatTheySealed) {
  const auto cookies = cookies_with({"secret"});
  const Fleet fleet(3);
  const std::string id = AffinityCookies::new_client_id();
  const auto content = cookies.open(cookies.seal(id, {"r2", 7}));
  ASSERT_TRUE(content);
  EXPECT_EQ(content->client, id);
  EXPECT_EQ(content->epoch, 7u);
  EXPECT_FALSE(content->renew);
  EXPECT_EQ(cookies.replica_of(*content, fleet.upstream), fleet.replica("r2"));
  EXPECT_TRUE(cookies.names(*content, "r2"));
  EXPECT_FALSE(cookies.names(*content, "r1"));
}

TEST(AffinityCookies, AreTheSameOnEveryNodeAndInEveryVersion) {
  EXPECT_EQ(cookies_with({"secret"}).seal(client, {"10.0.0.1:8080", 3}),
            "v1.AAAAAAAAAAAAAAAAAAAAAA.jW874Yr-xCA.3.vpHr8hoSWHK3K3PeIMjXRA");
}

TEST(AffinityCookies, AreComputedOnceForTheRequestsOfAClient) {
  static unsigned computed;
  const AffinityCookies cookies(
      [](std::span<const uint8_t> key) -> Mac {
        return [mac = tls::make_hmac_sha256(key)](std::string_view data) {
          ++computed;
          return mac(data);
        };
      },
      {{"secret"}});
  const std::string value = cookies.seal(client, {"r1", 1});
  const auto first = cookies.open(value);
  computed = 0;
  const auto again = cookies.open(value);
  EXPECT_EQ(computed, 0u);
  ASSERT_TRUE(first && again);
  EXPECT_EQ(again->client, first->client);
  EXPECT_EQ(again->replica_tag, first->replica_tag);
  EXPECT_EQ(again->epoch, first->epoch);
}

TEST(AffinityCookies, RememberNoForgedOne) {
  const auto cookies = cookies_with({"secret"});
  const std::string value = cookies.seal(client, {"r1", 1});
  const std::string forged = cookies_with({"guess"}).seal(client, {"r1", 1});
  ASSERT_NE(value, forged);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(cookies.open(value));
    EXPECT_FALSE(cookies.open(forged));
    EXPECT_FALSE(cookies.open(""));
  }
}

TEST(AffinityCookies, DoNotShowAddresses) {
  const std::string value = cookies_with({"secret"}).seal(client, {"10.0.0.1:8080", 1});
  EXPECT_EQ(value.find("10.0"), std::string::npos);
  EXPECT_NE(cookies_with({"other"}).seal(client, {"10.0.0.1:8080", 1}).substr(0, 38),
            value.substr(0, 38));
}

TEST(AffinityCookies, NameNoReplicaThatIsNotThere) {
  const auto cookies = cookies_with({"secret"});
  Fleet fleet(3);
  const auto content = cookies.open(cookies.seal(client, {"r2", 1}));
  fleet.remove("r2");
  EXPECT_EQ(cookies.replica_of(*content, fleet.upstream), nullptr);
}

TEST(AffinityCookies, BelieveAnOldSecretAndAskForANewCookie) {
  const Fleet fleet(3);
  const std::string value = cookies_with({"old"}).seal(client, {"r3", 2});
  const auto rotated = cookies_with({"new", "old"});
  const auto content = rotated.open(value);
  ASSERT_TRUE(content);
  EXPECT_TRUE(content->renew);
  EXPECT_EQ(rotated.replica_of(*content, fleet.upstream), fleet.replica("r3"));

  const auto renewed = rotated.open(rotated.seal(client, {"r3", 2}));
  ASSERT_TRUE(renewed);
  EXPECT_FALSE(renewed->renew);
  EXPECT_FALSE(cookies_with({"new"}).open(value));
}

TEST(AffinityCookies, RefuseEverySingleChangedCharacter) {
  const auto cookies = cookies_with({"secret"});
  const std::string value = cookies.seal(client, {"r1", 12});
  ASSERT_TRUE(cookies.open(value));
  for (size_t i = 0; i < value.size(); ++i) {
    for (const char c : {'A', 'b', '1', '.', '=', ' ', '\0'}) {
      std::string forged = value;
      if (forged[i] == c) continue;
      forged[i] = c;
      EXPECT_FALSE(cookies.open(forged)) << forged;
    }
    EXPECT_FALSE(cookies.open(value.substr(0, i))) << i;
    EXPECT_FALSE(cookies.open(value.substr(i + 1))) << i;
  }
}

std::string signed_by_hand(const std::string& body) {
  const auto mac = tls::make_hmac_sha256(bytes_of("secret"))(body);
  return body + "." + to_base64url(std::span(mac).first(16));
}

TEST(AffinityCookies, RefuseMalformedPartsEvenWhenTheyAreSigned) {
  const auto cookies = cookies_with({"secret"});
  const std::string id(client);
  ASSERT_TRUE(cookies.open(signed_by_hand("v1." + id + ".AAAAAAAAAAA.1")));
  const std::string bodies[] = {
      "",
      "v1",
      "v1." + id,
      "v1." + id + ".AAAAAAAAAAA",
      "v2." + id + ".AAAAAAAAAAA.1",
      "v1." + id + ".AAAAAAAAAAA.0",
      "v1." + id + ".AAAAAAAAAAA.-1",
      "v1." + id + ".AAAAAAAAAAA.1x",
      "v1." + id + ".AAAAAAAAAAA.",
      "v1." + id + ".AAAAAAAAAAA.18446744073709551616",
      "v1." + id + ".AAAAAAAAAA.1",
      "v1." + id + "A.AAAAAAAAAAA.1",
      "v1..AAAAAAAAAAA.1",
      "v1." + id + "..1",
      "v1." + id + ".AAAAAAAAAAA.1.1",
      "v1." + id + ".AAAAAAAAAAA." + std::string(300, '0') + "1",
  };
  for (const std::string& body : bodies) {
    EXPECT_FALSE(cookies.open(signed_by_hand(body))) << body;
  }
  EXPECT_FALSE(cookies.open(""));
  EXPECT_FALSE(cookies.open("."));
  EXPECT_FALSE(cookies.open("...."));
  EXPECT_FALSE(cookies.open(std::string(100'000, '.')));
}

TEST(AffinityCookies, FitTheLargestEpoch) {
  const auto cookies = cookies_with({"secret"});
  const auto content = cookies.open(cookies.seal(client, {"r1", UINT64_MAX}));
  ASSERT_TRUE(content);
  EXPECT_EQ(content->epoch, UINT64_MAX);
}

TEST(AffinityCookies, HoldOnlyCharactersThatACookieMayHold) {
  const auto cookies = cookies_with({"secret"});
  std::set<std::string> clients;
  for (int i = 0; i < 100; ++i) {
    const std::string id = AffinityCookies::new_client_id();
    EXPECT_EQ(id.size(), 22u);
    EXPECT_TRUE(clients.insert(id).second);
    const std::string value = cookies.seal(id, {"unix:/run/r;1,\"2\".sock", 1});
    EXPECT_EQ(value.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_."),
              std::string::npos);
    EXPECT_LE(value.size(), 128u);
  }
}

TEST(AffinityCookies, RememberManyMoreReplicasThanTheyKeep) {
  const auto cookies = cookies_with({"secret"});
  for (int i = 0; i < 3000; ++i) {
    const std::string replica = numbered("r", i);
    ASSERT_TRUE(cookies.names(*cookies.open(cookies.seal(client, {replica, 1})), replica));
  }
}

}  // namespace
}  // namespace usher::routing
