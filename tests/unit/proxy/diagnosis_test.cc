#include "proxy/diagnosis.h"

#include <gtest/gtest.h>

#include <set>

namespace usher::proxy {
namespace {

struct Message {
  std::string_view method = "GET";
  std::string_view target = "/ws/socket.io/?EIO=4&transport=polling";
  bool wants_websocket = false;
  std::string_view origin{};
  std::string_view fetch_site{};
  uint16_t status = 400;
  std::string_view type = "text/plain";
  std::string_view body{};
};

std::optional<Trouble> diagnose(const Message& message, size_t piece = 1000) {
  protocol::RequestHead request;
  request.method = message.method;
  request.target = message.target;
  request.authority = "chat.example.org:8443";
  request.wants_websocket = message.wants_websocket;
  if (!message.origin.empty()) request.headers.append("Origin", message.origin);
  if (!message.fetch_site.empty()) request.headers.append("Sec-Fetch-Site", message.fetch_site);
  protocol::ResponseHead response;
  response.status = message.status;
  if (!message.type.empty()) response.headers.append("Content-Type", message.type);
  auto diagnosis =
      Diagnosis::begin(request, response, message.target.starts_with("/ws/socket.io/"));
  if (!diagnosis) return std::nullopt;
  for (size_t at = 0; at < message.body.size(); at += piece)
    diagnosis->read(message.body.substr(at, piece));
  return diagnosis->verdict();
}

constexpr std::string_view websocket = "/ws/socket.io/?EIO=4&transport=websocket";
constexpr std::string_view websocket_of_session =
    "/ws/socket.io/?EIO=4&transport=websocket&sid=abc";
constexpr std::string_view chat = "/api/chat/completions";
constexpr std::string_view events = "text/event-stream; charset=utf-8";

TEST(Diagnosis, KnowsWhatEngineIoSays) {
  const std::pair<std::string_view, std::optional<Trouble>> rows[] = {
      {R"("https://a.example is not an accepted origin.")", Trouble::origin_refused},
      {R"("Invalid session q1w2")", Trouble::session_lost},
      {R"({"code":1,"message":"Session ID unknown"})", Trouble::session_lost},
      {R"({"code":1,"message":"Invalid session"})", Trouble::session_lost},
      {R"("Invalid websocket upgrade")", Trouble::upgrade_lost},
      {R"({"detail":"Invalid WebSocket upgrade request"})", Trouble::upgrade_lost},
      {R"("Invalid transport")", std::nullopt},
      {R"("Bad Request")", std::nullopt},
      {"", std::nullopt}};
  for (const auto& [body, trouble] : rows) {
    EXPECT_EQ(diagnose({.body = body}), trouble) << body;
    EXPECT_EQ(diagnose({.body = body}, 1), trouble) << "in pieces: " << body;
  }
}

TEST(Diagnosis, LooksAtTheStartOfABodyOnly) {
  const std::string late = std::string(100'000, ' ') + "Invalid session";
  EXPECT_EQ(diagnose({.body = late}), std::nullopt);
}

TEST(Diagnosis, TellsARefusedHandshakeByItsRequest) {
  EXPECT_EQ(
      diagnose(
          {.target = websocket, .wants_websocket = true, .origin = "https://a", .status = 403}),
      Trouble::origin_refused);
  EXPECT_EQ(diagnose({.target = websocket, .wants_websocket = true, .status = 403}), std::nullopt);
  EXPECT_EQ(diagnose({.target = websocket_of_session,
                      .wants_websocket = true,
                      .origin = "https://a",
                      .status = 403}),
            Trouble::session_lost);
}

TEST(Diagnosis, TellsALostUpgradeByItsRequest) {
  EXPECT_EQ(diagnose({.target = websocket}), Trouble::upgrade_lost);
  EXPECT_EQ(diagnose({.target = websocket, .wants_websocket = true}), std::nullopt);
  EXPECT_EQ(diagnose({.method = "POST", .target = websocket}), std::nullopt);
  EXPECT_EQ(diagnose({.target = websocket, .body = "\"a is not an accepted origin.\""}),
            Trouble::origin_refused)
      << "Engine.IO looks at the Origin first";
}

TEST(Diagnosis, TellsAChatThatStreamsToAPage) {
  const auto streams = [](std::string_view origin, std::string_view site) {
    return diagnose({.method = "POST",
                     .target = chat,
                     .origin = origin,
                     .fetch_site = site,
                     .status = 200,
                     .type = events});
  };
  EXPECT_EQ(streams("", "same-origin"), Trouble::websocket_missing);
  EXPECT_EQ(streams("https://chat.example.org:8443", ""), Trouble::websocket_missing);
  EXPECT_EQ(streams("https://chat.example.org:8443", "cross-site"), std::nullopt);
  EXPECT_EQ(streams("https://chat.example.org", ""), std::nullopt) << "another port";
  EXPECT_EQ(streams("null", ""), std::nullopt);
  EXPECT_EQ(streams("", ""), std::nullopt) << "a program";
  EXPECT_EQ(streams("", "none"), std::nullopt);
}

TEST(Diagnosis, IsSilentOnEverythingElse) {
  const Message page{
      .method = "POST", .target = chat, .fetch_site = "same-origin", .status = 200, .type = events};
  Message json = page;
  json.type = "application/json";
  EXPECT_EQ(diagnose(json), std::nullopt);
  Message untyped = page;
  untyped.type = "";
  EXPECT_EQ(diagnose(untyped), std::nullopt);
  Message refused = page;
  refused.status = 400;
  EXPECT_EQ(diagnose(refused), std::nullopt);
  Message other = page;
  other.target = "/api/chat/completions/x";
  EXPECT_EQ(diagnose(other), std::nullopt);
  for (const uint16_t status : {200, 101, 401, 404, 500, 502})
    EXPECT_EQ(diagnose({.target = websocket, .status = status, .body = "Invalid session"}),
              std::nullopt)
        << status;
  EXPECT_EQ(diagnose({.target = "/other", .body = "\"Invalid session x\""}), std::nullopt);
}

TEST(Trouble, HasANameAndAnAdviceEach) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < troubles; ++i) {
    names.insert(name_of(static_cast<Trouble>(i)));
    EXPECT_GT(advice_on(static_cast<Trouble>(i)).size(), 40U);
  }
  EXPECT_EQ(names.size(), troubles);
}

}  // namespace
}  // namespace usher::proxy
