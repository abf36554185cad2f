#include "control/admin_client.h"

#include <gtest/gtest.h>

namespace usher::control {
namespace {

TEST(StatusTable, ShowsEveryReplicaAndTheStore) {
  const auto table = status_table(
      R"({"node":"n1","version":"0.1.0","uptime_seconds":7,"draining":false,)"
      R"("store":{"url":"memory:","state":"up"},"upstreams":[{"name":"open-webui",)"
      R"("migrate_rate":200,"replicas":[{"id":"10.0.0.1:8080","address":"10.0.0.1:8080",)"
      R"("state":"draining","in_flight":2,"websockets":31,"websockets_moved":7,"sessions":40,)"
      R"("queued":3,"drain_seconds_left":540,"version":"0.11.0",)"
      R"("name":"open-webui:8080","host":"open-webui-1.net"}]}]})");
  ASSERT_TRUE(table);
  EXPECT_EQ(*table,
            "node n1, version 0.1.0, up 7 s\n"
            "store memory:, up\n"
            "\n"
            "upstream open-webui, moves at most 200 websockets a second to one replica\n"
            "  replica                      state           in flight  queued  websockets  "
            "moved  sessions  version      name\n"
            "  10.0.0.1:8080                draining 540s           2       3          31  "
            "    7        40  0.11.0       open-webui-1.net\n");
}

TEST(StatusTable, SaysWhyAReplicaIsNotUpAndThatAnUpstreamPanics) {
  const auto table = status_table(
      R"({"node":"n1","version":"0.1.0","uptime_seconds":7,)"
      R"("store":{"url":"memory:","state":"up"},"upstreams":[{"name":"open-webui","panic":true,)"
      R"("replicas":[{"id":"10.0.0.1:8080","state":"unready","in_flight":2,"websockets":31,)"
      R"("websockets_moved":0,"sessions":40,"queued":0,"version":"0.12.4",)"
      R"("reason":"status 503 from /ready: Redis not ready"}]}]})");
  ASSERT_TRUE(table);
  EXPECT_EQ(*table,
            "node n1, version 0.1.0, up 7 s\n"
            "store memory:, up\n"
            "\n"
            "upstream open-webui\n"
            "  panic: most are not ready, so it is something that they share; they stay in use\n"
            "  replica                      state           in flight  queued  websockets  "
            "moved  sessions  version      name\n"
            "  10.0.0.1:8080                unready                 2       0          31  "
            "    0        40  0.12.4       -\n"
            "    status 503 from /ready: Redis not ready\n");
}

TEST(StatusTable, SaysWhichNameDoesNotResolve) {
  const auto table = status_table(
      R"({"node":"n1","version":"0.1.0","uptime_seconds":7,)"
      R"("store":{"url":"memory:","state":"up"},"upstreams":[{"name":"open-webui",)"
      R"("unresolved":[{"name":"open-webui:8080","reason":"no address"}],"replicas":[]}]})");
  ASSERT_TRUE(table);
  EXPECT_EQ(*table,
            "node n1, version 0.1.0, up 7 s\n"
            "store memory:, up\n"
            "\n"
            "upstream open-webui\n"
            "  open-webui:8080 does not resolve: no address\n"
            "  no replica is known\n");
}

TEST(StatusTable, ShowsWhereItListensAndHowLongCertificatesHold) {
  const auto table = status_table(
      R"({"node":"n1","version":"0.1.0","uptime_seconds":7,"connections":5,"websockets":3,)"
      R"("listen":[{"url":"https://127.0.0.1:8443","connections":5}],)"
      R"("certificates":[{"certificate":"/c.pem","not_after":"2027-01-01T00:00:00.000Z"}],)"
      R"("store":{"url":"memory:","state":"up"},"upstreams":[]})");
  ASSERT_TRUE(table);
  EXPECT_EQ(*table,
            "node n1, version 0.1.0, up 7 s\n"
            "5 connections, 3 websockets\n"
            "listen https://127.0.0.1:8443, 5 connections\n"
            "certificate /c.pem, until 2027-01-01T00:00:00.000Z\n"
            "store memory:, up\n");
}

TEST(StatusTable, RefusesWhatIsNoStatus) {
  EXPECT_FALSE(status_table("<html>"));
  EXPECT_FALSE(status_table("[]"));
  EXPECT_FALSE(status_table("{}"));
}

TEST(AskAdmin, WritesAnyNameAsOneSegmentOfAPath) {
  EXPECT_EQ(as_segment("open-webui_1.net~"), "open-webui_1.net~");
  EXPECT_EQ(as_segment("[::1]:80"), "%5B%3A%3A1%5D%3A80");
  EXPECT_EQ(as_segment("a/b?c %\xff"), "a%2Fb%3Fc%20%25%FF");
}

TEST(AskAdmin, SaysWhyItWasRefused) {
  EXPECT_EQ(refusal_in(R"({"detail":"no replica is called x"})"), "no replica is called x");
  EXPECT_EQ(refusal_in("<html>"), "<html>");
  EXPECT_EQ(refusal_in("[]"), "[]");
}

TEST(AskAdmin, SaysWhatAnAddressLooksLike) {
  const auto answer = ask_admin("http://localhost", "", "GET", "/api/status");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().detail, "http://localhost: expected http://host:port or unix:/path");
}

}  // namespace
}  // namespace usher::control
