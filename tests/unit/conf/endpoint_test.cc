#include "conf/endpoint.h"

#include <gtest/gtest.h>

namespace usher::conf {
namespace {

TEST(Endpoint, ReadsWhereToListen) {
  const std::pair<const char*, Endpoint> good[] = {
      {"127.0.0.1:8088", {"127.0.0.1", 8088, {}}},
      {":8088", {"", 8088, {}}},
      {":0", {"", 0, {}}},
      {"localhost:65535", {"localhost", 65535, {}}},
      {"[::1]:443", {"::1", 443, {}}},
      {"[::]:80", {"::", 80, {}}},
      {"[fe80::1%eth0]:80", {"fe80::1%eth0", 80, {}}},
      {"open-webui_1:8080", {"open-webui_1", 8080, {}}},
      {"chat.example.org.:80", {"chat.example.org.", 80, {}}},
      {"unix:/run/usher.sock", {"", 0, "/run/usher.sock"}},
  };
  for (const auto& [text, expected] : good) {
    const auto endpoint = parse_listen_endpoint(text);
    ASSERT_TRUE(endpoint) << text << ": " << endpoint.error().detail;
    EXPECT_EQ(*endpoint, expected) << text;
    EXPECT_EQ(to_string(*endpoint), text);
  }
}

TEST(Endpoint, RefusesWhatIsNoAddress) {
  for (
      const auto* text :
      {"",        ":",           "8088",         "host",      "host:",    ":-1",          ":65536",
       ":+1",     ": 80",        "ho st:80",     "::1:80",    "::1",      "[::1]",        "[::1]80",
       "[::1",    "[]:80",       "[1.2.3.4]:80", "[host]:80", "1.2.3:80", "1.2.3.256:80", "a..b:80",
       ".a:80",   "http://a:80", "a:80/",        "unix:",     "unix:run", "unix:/",       "*:80",
       "a:80:90", "[::1%]:80",   "\xff:80"}) {
    EXPECT_FALSE(parse_listen_endpoint(text)) << text;
  }
  EXPECT_FALSE(parse_listen_endpoint("unix:/" + std::string(107, 'a')));
  EXPECT_TRUE(parse_listen_endpoint("unix:/" + std::string(106, 'a')));
  EXPECT_FALSE(parse_listen_endpoint(std::string(64, 'a') + ":80"));
}

TEST(Endpoint, WantsHostAndPortOfAReplica) {
  EXPECT_TRUE(parse_replica_endpoint("open-webui:8080"));
  EXPECT_TRUE(parse_replica_endpoint("unix:/run/a.sock"));
  EXPECT_TRUE(parse_replica_endpoint("[fd00::1]:8080"));
  for (const auto* text :
       {":8080", "open-webui", "[fd00::1]", "open-webui:0", "https://open-webui:8080"}) {
    EXPECT_FALSE(parse_replica_endpoint(text)) << text;
  }
}

TEST(Replica, IsAnEndpointWithAWeight) {
  const std::pair<const char*, ReplicaSettings> good[] = {
      {"a:1", {{"a", 1, {}}, 1}},
      {"a:1 weight=2", {{"a", 1, {}}, 2}},
      {"[::1]:1 weight=256", {{"::1", 1, {}}, 256}},
      {"unix:/run/a.sock weight=3", {{{}, 0, "/run/a.sock"}, 3}},
      {"https://a:443", {{"a", 443, {}}, 1, true}},
      {"https://[::1]:443 weight=2", {{"::1", 443, {}}, 2, true}},
      {"a:1 backup", {{"a", 1, {}}, 1, false, true}},
      {"a:1 weight=2 backup", {{"a", 1, {}}, 2, false, true}},
  };
  for (const auto& [text, expected] : good) {
    const auto replica = parse_replica(text);
    ASSERT_TRUE(replica) << text << ": " << replica.error().detail;
    EXPECT_EQ(*replica, expected) << text;
    EXPECT_EQ(to_string(*replica), text);
  }
  EXPECT_EQ(parse_replica("  a:1   weight=1 ")->weight, 1U);
  for (const auto* text :
       {"", " ", "weight=2", "a:1 weight", "a:1 weight=", "a:1 weight=0", "a:1 weight=257",
        "a:1 weight=-1", "a:1 weight=x", "a:1 weight=2 weight=2", "a:1 backup backup", "a:1 b:2",
        "a:1 Weight=2", "a:1 weight = 2", "https://a", "https://unix:/run/a.sock", "https://a:1/",
        "http://a:1", "https://"}) {
    EXPECT_FALSE(parse_replica(text)) << text;
  }
}

StoreUrl store_url(StoreKind kind, std::vector<Endpoint> servers, std::string user = {},
                   std::string password = {}, uint32_t database = 0) {
  StoreUrl url;
  url.kind = kind;
  url.servers = std::move(servers);
  url.user = std::move(user);
  url.password = std::move(password);
  url.database = database;
  return url;
}

TEST(StoreUrl, ReadsMemoryAndRedis) {
  const auto redis = [](Endpoint server, std::string user = {}, std::string password = {},
                        uint32_t database = 0) {
    return store_url(StoreKind::redis, {std::move(server)}, std::move(user), std::move(password),
                     database);
  };
  const std::pair<const char*, StoreUrl> good[] = {
      {"memory:", {}},
      {"redis://redis", redis({"redis", 6379, {}})},
      {"redis://redis/", redis({"redis", 6379, {}})},
      {"redis://redis:6380/2", redis({"redis", 6380, {}}, "", "", 2)},
      {"redis://[::1]:6380/2", redis({"::1", 6380, {}}, "", "", 2)},
      {"redis://:pass@10.0.0.1/1", redis({"10.0.0.1", 6379, {}}, "", "pass", 1)},
      {"redis://us%3Aer:p%40%2f%25@h", redis({"h", 6379, {}}, "us:er", "p@/%")},
      {"redis://u:a@b:c@h", redis({"h", 6379, {}}, "u", "a@b:c")},
      {"redis://u:@h", redis({"h", 6379, {}}, "u", "")},
  };
  for (const auto& [text, expected] : good) {
    const auto url = parse_store_url(text);
    ASSERT_TRUE(url) << text << ": " << url.error().detail;
    EXPECT_EQ(*url, expected) << text;
  }
}

TEST(StoreUrl, ReadsSentinelsAClusterAndTls) {
  StoreUrl sentinels = store_url(
      StoreKind::sentinel, {{"s1", 26379, {}}, {"s2", 5000, {}}, {"::1", 26379, {}}}, "u", "p", 3);
  sentinels.service = "my-master.1";
  EXPECT_EQ(*parse_store_url("redis+sentinel://u:p@s1,s2:5000,[::1]/my-master.1/3"), sentinels);
  sentinels.tls = true;
  EXPECT_EQ(*parse_store_url("rediss+sentinel://u:p@s1,s2:5000,[::1]/my-master.1/3"), sentinels);

  StoreUrl cluster = store_url(StoreKind::cluster, {{"h1", 6379, {}}, {"h2", 7000, {}}}, "", "p");
  for (const auto* text : {"redis+cluster://:p@h1,h2:7000", "redis+cluster://:p@h1,h2:7000/",
                           "redis+cluster://:p@h1:6379,h2:7000/0"}) {
    EXPECT_EQ(*parse_store_url(text), cluster) << text;
  }
  cluster.tls = true;
  EXPECT_EQ(*parse_store_url("rediss+cluster://:p@h1,h2:7000"), cluster);

  StoreUrl one = store_url(StoreKind::redis, {{"h", 6379, {}}}, "", "", 1);
  one.tls = true;
  EXPECT_EQ(*parse_store_url("rediss://h/1"), one);
}

TEST(StoreUrl, RefusesTheRest) {
  for (const auto* text : {"",
                           "memory",
                           "memory:x",
                           "redis:",
                           "redis://",
                           "redis:///1",
                           "redis://h:0",
                           "redis://h:x",
                           "redis://h:",
                           "redis://h/x",
                           "redis://h/-1",
                           "redis://h/99999999999",
                           "redis://u@h",
                           "redis://:%zz@h",
                           "redis://:%4@h",
                           "redis://h?db=1",
                           "redis://h1,h2",
                           "rediss://",
                           "redis+sentinel://h",
                           "redis+sentinel://h/",
                           "redis+sentinel://h//0",
                           "redis+sentinel://h/s/x",
                           "redis+sentinel://h/s s/0",
                           "redis+sentinel://h,/s/0",
                           "redis+cluster://",
                           "redis+cluster://h1,,h2",
                           "redis+cluster://h/1",
                           "redis+tls://h",
                           "http://h",
                           "redis"}) {
    EXPECT_FALSE(parse_store_url(text)) << text;
  }
  std::string crowd = "redis+cluster://h";
  for (int i = 0; i < 32; ++i)
    crowd += ",h";
  EXPECT_FALSE(parse_store_url(crowd));
}

TEST(StoreUrl, IsShownWithoutItsPassword) {
  for (const auto& [text, shown] : std::initializer_list<std::pair<const char*, const char*>>{
           {"redis://u:secret@h/1", "redis://u:***@h:6379/1"},
           {"redis://:secret@h", "redis://:***@h:6379/0"},
           {"rediss+sentinel://:secret@a,b/s", "rediss+sentinel://:***@a:26379,b:26379/s/0"},
           {"redis+cluster://u:secret@a,[::1]:7000", "redis+cluster://u:***@a:6379,[::1]:7000"},
           {"memory:", "memory:"}}) {
    EXPECT_EQ(to_string(*parse_store_url(text)), shown);
  }
}

TEST(Cidr, ReadsNetworksAndAddresses) {
  const std::pair<const char*, const char*> good[] = {{"10.0.0.0/8", "10.0.0.0/8"},
                                                      {"192.0.2.7", "192.0.2.7/32"},
                                                      {"0.0.0.0/0", "0.0.0.0/0"},
                                                      {"fd00::/8", "fd00::/8"},
                                                      {"::1", "::1/128"},
                                                      {"::/0", "::/0"},
                                                      {"10.128.0.0/9", "10.128.0.0/9"}};
  for (const auto& [text, expected] : good) {
    const auto cidr = parse_cidr(text);
    ASSERT_TRUE(cidr) << text;
    EXPECT_EQ(to_string(*cidr), expected);
  }
}

TEST(Cidr, RefusesTheRest) {
  for (const auto* text :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.128.0.0/8", "fd00::1/8",
        "::/129", "10.0.0/8", "host", "10.0.0.0/8/8", "10.0.0.0/-1", "10.0.0.0/08x", "[::1]"}) {
    EXPECT_FALSE(parse_cidr(text)) << text;
  }
  EXPECT_FALSE(parse_cidr(std::string_view("10.0.0.0\0", 9)));
}

}  // namespace
}  // namespace usher::conf
