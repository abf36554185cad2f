// Which 101 opens a websocket. Requests that ask for one are in request_parser_test.cc.

#include "protocol/handshake.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "protocol/http1_parser.h"

namespace usher::protocol {
namespace {

constexpr std::string_view accept_value = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

RequestHead asking(const std::string& version, const std::string& more) {
  const std::string text =
      "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: " +
      version + "\r\n" + more + "\r\n";
  RequestParser parser({});
  std::span<const char> input(text);
  EXPECT_EQ(parser.next(input)->kind, ParsedKind::head);
  return parser.take_head();
}

ResponseHead answering(const std::string& text) {
  ResponseParser parser({});
  parser.expect("GET");
  std::span<const char> input(text);
  EXPECT_EQ(parser.next(input)->kind, ParsedKind::head);
  return parser.take_head();
}

const std::string plain =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

std::string verdict(const RequestHead& request, const std::string& response) {
  const auto outcome = check_websocket_response(request, answering(response), accept_value);
  if (outcome) return "opens";
  EXPECT_EQ(outcome.error().code, Errc::replica_bad_upgrade);
  EXPECT_EQ(outcome.error().side, Side::replica);
  return outcome.error().detail;
}

struct Row {
  std::string what;
  std::string from;
  std::string to;
  std::string verdict;
};

void expect_verdicts(const RequestHead& request, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    std::string text = plain;
    text.replace(row.from.empty() ? 0 : text.find(row.from), row.from.size(), row.to);
    EXPECT_EQ(verdict(request, text), row.verdict) << row.what;
  }
}

TEST(Handshake, OpensByARightAnswerOnly) {
  expect_verdicts(
      asking("13", ""),
      {
          {"as it is", "", "", "opens"},
          {"other case", "Upgrade: websocket", "UPGRADE: WebSocket", "opens"},
          {"more options", "Connection: Upgrade", "Connection: keep-alive, upgrade", "opens"},
          {"no reason", " Switching Protocols", "", "opens"},
          {"no Upgrade", "Upgrade: w", "X: w", "a 101 to something else"},
          {"h2c", "websocket", "h2c", "a 101 to something else"},
          {"two protocols", "websocket", "websocket, h2c", "a 101 to something else"},
          {"two fields", "Upgrade: w", "Upgrade: websocket\r\nUpgrade: w",
           "a 101 to something else"},
          {"with an underscore", "Upgrade: w", "Up_grade: w", "a 101 to something else"},
          {"no Connection", "Connection", "X", "a 101 without Connection: Upgrade"},
          {"close", "Connection: Upgrade", "Connection: close",
           "a 101 without Connection: Upgrade"},
          {"no accept", "Sec-WebSocket-Accept", "X", "a wrong Sec-WebSocket-Accept"},
          {"empty accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "", "a wrong Sec-WebSocket-Accept"},
          {"for another key", "s3pP", "s3pQ", "a wrong Sec-WebSocket-Accept"},
          {"other case of base64", "s3pP", "S3pP", "a wrong Sec-WebSocket-Accept"},
          {"two, both right", "Sec-W",
           "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-W",
           "a wrong Sec-WebSocket-Accept"},
          {"HTTP/1.0", "HTTP/1.1", "HTTP/1.0", "a 101 in HTTP/1.0"},
          {"a subprotocol", "\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
           "a subprotocol not offered"},
          {"an extension", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
           "an extension not offered"},
      });
}

TEST(Handshake, OpensForARequestThatAskedOnly) {
  auto request = asking("13", "");
  request.wants_websocket = false;
  EXPECT_EQ(verdict(request, plain), "a 101 that nobody asked for");
  EXPECT_EQ(verdict(asking("8", ""), plain), "a 101 for another version of websocket");
}

TEST(Handshake, TakesAnOfferedSubprotocol) {
  const auto with = [](const std::string& value) {
    return Row{value, "\r\n\r\n", "\r\nSec-WebSocket-Protocol: " + value + "\r\n\r\n", "opens"};
  };
  const auto request =
      asking("13", "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol: v2.x\r\n");
  expect_verdicts(request, {with("a"), with("b"), with("v2.x"), {"none", "", "", "opens"}});
  for (const std::string value : {"", "A", "c", "a, b", "a b", "v2"}) {
    auto row = with(value);
    row.verdict = "a subprotocol not offered";
    expect_verdicts(request, {row});
  }
  auto twice = with("a\r\nSec-WebSocket-Protocol: a");
  twice.verdict = "a subprotocol not offered";
  expect_verdicts(request, {twice});
}

TEST(Handshake, TakesOfferedExtensionsWhateverTheirParameters) {
  const auto with = [](const std::string& value, const std::string& verdict) {
    return Row{value, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: " + value + "\r\n\r\n", verdict};
  };
  const std::string opens = "opens", refused = "an extension not offered";
  const auto request = asking("13",
                              "Sec-WebSocket-Extensions: permessage-deflate; a=\"x, bar\", foo\r\n"
                              "Sec-WebSocket-Extensions: baz\r\n");
  expect_verdicts(request, {
                               with("permessage-deflate", opens),
                               with("permessage-deflate; server_no_context_takeover", opens),
                               with("permessage-deflate;client_max_window_bits=15, foo", opens),
                               with("foo; b=\"c, bar\", baz", opens),
                               with("foo; b=\"\\\", bar\"", opens),
                               with("", opens),
                               with(" , foo ,", opens),
                               with("bar", refused),
                               with("Permessage-Deflate", refused),
                               with("foo, bar", refused),
                               with("foo; b=\"c\", bar", refused),
                               with("foo; b=\"\\\\\", bar", refused),
                               with("bar; a=\"\\", refused),
                               with("foo\r\nSec-WebSocket-Extensions: baz", refused),
                           });
}

}  // namespace
}  // namespace usher::protocol
