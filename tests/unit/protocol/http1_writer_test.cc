#include "protocol/http1_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "protocol/forwarding.h"
#include "tests/unit/protocol/transcript.h"

namespace usher::protocol {
namespace {

RequestHead request_of(const std::string& text) {
  RequestParser parser({});
  std::span<const char> input(text);
  const auto parsed = parser.next(input);
  EXPECT_TRUE(parsed && parsed->kind == ParsedKind::head) << text;
  return parser.take_head();
}

std::string written(const RequestHead& head) {
  std::string out;
  write_request_head(out, head);
  return out;
}

TEST(RequestWriter, PutsHostFirstAndRebuildsFraming) {
  EXPECT_EQ(written(request_of(
                "POST /a%2F?b HTTP/1.1\r\nX:1\r\nhost:  a:8 \r\ncontent-length: 005\r\n\r\n")),
            "POST /a%2F?b HTTP/1.1\r\nHost: a:8\r\nX: 1\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(written(request_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:CHUNKED\r\n\r\n")),
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(written(request_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")),
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(written(request_of("GET http://b/c HTTP/1.1\r\nHost: B\r\n\r\n")),
            "GET /c HTTP/1.1\r\nHost: b\r\n\r\n");
}

TEST(RequestWriter, SpeaksOneVersionToReplicas) {
  EXPECT_EQ(written(request_of("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")),
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(RequestWriter, WritesNoFieldOfOneConnectionEvenIfNobodyStrippedIt) {
  EXPECT_EQ(
      written(request_of("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\nKeep-Alive: 5\r\n"
                         "Proxy-Connection: x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nTE: gzip\r\n"
                         "Trailer: x\r\nProxy-Authorization: x\r\nTransfer_Encoding: chunked\r\n"
                         "Content_Length: 7\r\nA: b\r\n\r\n")),
      "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n");
}

TEST(RequestWriter, SaysThatTrailersAreTaken) {
  const std::string te = "TE: trailers\r\nConnection: TE\r\n\r\n";
  EXPECT_EQ(written(request_of("GET / HTTP/1.1\r\nHost: a\r\nTE: deflate, Trailers\r\n\r\n")),
            "GET / HTTP/1.1\r\nHost: a\r\n" + te);
}

TEST(RequestWriter, OpensAWebsocketAfresh) {
  auto head = request_of(
      "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade, x\r\nUpgrade: h2c, "
      "WebSocket\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      "Content-Length: 0\r\nTE: trailers\r\nSec-WebSocket-Extensions: permessage-deflate; "
      "a=b\r\n\r\n");
  ASSERT_TRUE(head.wants_websocket);
  strip_hop_by_hop(head.headers);
  EXPECT_EQ(written(head),
            "GET /ws HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate; a=b\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

ResponseHead response_of(uint16_t status, BodyFraming body, std::string_view name = {},
                         std::string_view value = {}) {
  ResponseHead head;
  head.status = status;
  head.reason = "R";
  head.body = body;
  if (!name.empty()) head.headers.append(name, value);
  return head;
}

struct ResponseRow {
  std::string what;
  ResponseHead head;
  ResponseOptions options;
  std::string text;
};

TEST(ResponseWriter, FramesForTheClientThatAsks) {
  constexpr BodyFraming none{}, five{BodyKind::length, 5}, chunked{BodyKind::chunked, 0},
      until_close{BodyKind::until_close, 0};
  auto announced = response_of(200, none);
  announced.announced_length = 7;
  std::vector<ResponseRow> rows;
  const auto row = [&](std::string what, ResponseHead head, ResponseOptions options,
                       std::string text) {
    rows.push_back({std::move(what), std::move(head), options, std::move(text)});
  };
  row("length", response_of(200, five), {}, "HTTP/1.1 200 R\r\nContent-Length: 5\r\n\r\n");
  row("length, close", response_of(200, five), {.close = true},
      "HTTP/1.1 200 R\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
  row("length, HTTP/1.0", response_of(200, five), {.http10_client = true},
      "HTTP/1.1 200 R\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n");
  row("length, HTTP/1.0, close", response_of(200, five), {.close = true, .http10_client = true},
      "HTTP/1.1 200 R\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
  row("chunked", response_of(200, chunked), {},
      "HTTP/1.1 200 R\r\nTransfer-Encoding: chunked\r\n\r\n");
  row("chunked, HTTP/1.0", response_of(200, chunked), {.http10_client = true},
      "HTTP/1.1 200 R\r\nConnection: close\r\n\r\n");
  row("until close becomes chunked", response_of(200, until_close), {},
      "HTTP/1.1 200 R\r\nTransfer-Encoding: chunked\r\n\r\n");
  row("until close, HTTP/1.0", response_of(200, until_close), {.http10_client = true},
      "HTTP/1.1 200 R\r\nConnection: close\r\n\r\n");
  row("none", response_of(204, none), {}, "HTTP/1.1 204 R\r\n\r\n");
  row("none, HTTP/1.0", response_of(204, none), {.http10_client = true},
      "HTTP/1.1 204 R\r\nConnection: keep-alive\r\n\r\n");
  row("none where a client would wait", response_of(200, none), {.empty_body = true},
      "HTTP/1.1 200 R\r\nContent-Length: 0\r\n\r\n");
  row("announced length", std::move(announced), {}, "HTTP/1.1 200 R\r\nContent-Length: 7\r\n\r\n");
  row("interim", response_of(103, none, "Link", "a"), {.close = true, .http10_client = true},
      "HTTP/1.1 103 R\r\nLink: a\r\n\r\n");
  row("upgrade", response_of(101, none, "Sec-WebSocket-Accept", "a"), {.upgrade = true},
      "HTTP/1.1 101 R\r\nSec-WebSocket-Accept: a\r\nConnection: Upgrade\r\nUpgrade: "
      "websocket\r\n\r\n");
  row("connection fields", response_of(200, five, "Connection", "close"), {},
      "HTTP/1.1 200 R\r\nContent-Length: 5\r\n\r\n");
  row("upgrade that is none", response_of(426, five, "Upgrade", "websocket"), {},
      "HTTP/1.1 426 R\r\nContent-Length: 5\r\n\r\n");
  const auto required = [&] {
    ResponseHead head = response_of(426, five, "Upgrade", "websocket");
    head.requires_websocket = true;
    return head;
  };
  row("a websocket is required", required(), {},
      "HTTP/1.1 426 R\r\nContent-Length: 5\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  row("a websocket is required, close", required(), {.close = true},
      "HTTP/1.1 426 R\r\nContent-Length: 5\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade, close\r\n\r\n");
  row("a replica's own framing", response_of(200, five, "Transfer-Encoding", "chunked"), {},
      "HTTP/1.1 200 R\r\nContent-Length: 5\r\n\r\n");
  row("largest length", response_of(200, {BodyKind::length, UINT64_MAX}), {},
      "HTTP/1.1 200 R\r\nContent-Length: 18446744073709551615\r\n\r\n");
  for (const auto& [what, head, options, text] : rows) {
    std::string out = "before";
    write_response_head(out, head, options);
    EXPECT_EQ(out, "before" + text) << what;
  }
}

TEST(ChunkWriter, WritesSizesInHexadecimal) {
  for (const auto& [size, text] : std::vector<std::pair<size_t, std::string>>{
           {1, "1\r\n"}, {10, "a\r\n"}, {255, "ff\r\n"}, {65536, "10000\r\n"}}) {
    std::string out;
    write_chunk_prefix(out, size);
    EXPECT_EQ(out, text);
  }
}

TEST(ChunkWriter, LeavesOutTrailersThatMeanSomethingElsewhere) {
  Headers trailers;
  for (const auto* name : {"Content-Length",
                           "Transfer-Encoding",
                           "Host",
                           "Connection",
                           "Trailer",
                           "TE",
                           "Authorization",
                           "Cookie",
                           "Set-Cookie",
                           "Content-Type",
                           "X-Forwarded-For",
                           "x_forwarded_for",
                           "X_Real_IP",
                           "Transfer_Encoding",
                           "Upgrade",
                           "Keep-Alive",
                           "Sec-WebSocket-Key",
                           "Cache-Control",
                           "Content_Length",
                           "Expect"}) {
    trailers.append(name, "x");
  }
  trailers.append("Server-Timing", "a;dur=1");
  trailers.append("Digest", "");
  std::string out;
  write_last_chunk(out, trailers);
  EXPECT_EQ(out, "0\r\nServer-Timing: a;dur=1\r\nDigest: \r\n\r\n");
  out.clear();
  write_last_chunk(out, {});
  EXPECT_EQ(out, "0\r\n\r\n");
}

TEST(RoundTrip, RequestsMeanTheSameWhenWrittenAndReadAgain) {
  for (const std::string text : {
           "GET /a?b=%2F&c HTTP/1.1\r\nHost: a:8\r\nA: \xc3\xa9 \tb\r\nA:\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
           "OPTIONS * HTTP/1.1\r\nHost: [::1]\r\n\r\n",
           "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
       }) {
    auto head = request_of(text);
    auto again = request_of(written(head));
    for (auto* each : {&head, &again}) {
      strip_hop_by_hop(each->headers);
      each->headers.remove("Host");
    }
    EXPECT_EQ(describe(head), describe(again));
  }
}

}  // namespace
}  // namespace usher::protocol
