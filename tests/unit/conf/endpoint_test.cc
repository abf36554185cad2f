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

TEST(StoreUrl, ReadsMemoryAndRedis) {
  const std::pair<const char*, StoreUrl> good[] = {
      {"memory:", {}},
      {"redis://redis", {StoreKind::redis, {"redis", 6379, {}}, "", "", 0}},
      {"redis://redis/", {StoreKind::redis, {"redis", 6379, {}}, "", "", 0}},
      {"redis://redis:6380/2", {StoreKind::redis, {"redis", 6380, {}}, "", "", 2}},
      {"redis://[::1]:6380/2", {StoreKind::redis, {"::1", 6380, {}}, "", "", 2}},
      {"redis://:pass@10.0.0.1/1", {StoreKind::redis, {"10.0.0.1", 6379, {}}, "", "pass", 1}},
      {"redis://us%3Aer:p%40%2f%25@h", {StoreKind::redis, {"h", 6379, {}}, "us:er", "p@/%", 0}},
      {"redis://u:a@b:c@h", {StoreKind::redis, {"h", 6379, {}}, "u", "a@b:c", 0}},
      {"redis://u:@h", {StoreKind::redis, {"h", 6379, {}}, "u", "", 0}},
  };
  for (const auto& [text, expected] : good) {
    const auto url = parse_store_url(text);
    ASSERT_TRUE(url) << text << ": " << url.error().detail;
    EXPECT_EQ(*url, expected) << text;
  }
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
                           "rediss://h",
                           "redis+sentinel://h/s/0",
                           "redis+cluster://h",
                           "http://h",
                           "redis"}) {
    EXPECT_FALSE(parse_store_url(text)) << text;
  }
}

TEST(StoreUrl, IsShownWithoutItsPassword) {
  EXPECT_EQ(to_string(*parse_store_url("redis://u:secret@h/1")), "redis://u:***@h:6379/1");
  EXPECT_EQ(to_string(*parse_store_url("redis://:secret@h")), "redis://:***@h:6379/0");
  EXPECT_EQ(to_string(*parse_store_url("memory:")), "memory:");
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
