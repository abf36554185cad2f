#include "protocol/http1_server_codec.h"

#include <gtest/gtest.h>

#include <string>

#include "protocol/http1_parser.h"

namespace usher::protocol {
namespace {

// A client's octets, and the codec that reads them.
class Connection final {
 public:
  explicit Connection(std::string text, HeadLimits limits = {})
      : text_(std::move(text)), input_(text_), codec_(limits) {}

  Http1ServerCodec& codec() { return codec_; }
  size_t left() const { return input_.size(); }

  // "request", "data hello", "end", "-" for need_more, "error bad_request".
  std::string next() {
    auto event = codec_.next(input_);
    if (!event) return "error " + std::string(name_of(event.error().code));
    switch (event->kind) {
      case ServerEventKind::need_more: return "-";
      case ServerEventKind::request: return "request";
      case ServerEventKind::data:
        return "data " + std::string(event->data.begin(), event->data.end());
      case ServerEventKind::end: return "end";
    }
    return "?";
  }

  std::string answer(uint16_t status, BodyFraming body, std::string_view text = {},
                     bool close = false) {
    ResponseHead head;
    head.status = status;
    head.reason = "R";
    head.body = body;
    return answer(head, text, close);
  }

  std::string answer(const ResponseHead& head, std::string_view text, bool close = false) {
    std::string out;
    codec_.write_head(head, close, out);
    while (!text.empty()) {
      const auto frame = codec_.frame(text.size());
      if (frame.take == 0) break;
      out.append(frame.prefix).append(text.substr(0, frame.take)).append(frame.suffix);
      text.remove_prefix(frame.take);
    }
    codec_.write_end({}, out);
    return out;
  }

 private:
  std::string text_;
  std::span<const char> input_;
  Http1ServerCodec codec_;
};

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string get10 = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
constexpr BodyFraming none{}, five{BodyKind::length, 5}, chunked{BodyKind::chunked, 0},
    until_close{BodyKind::until_close, 0};

TEST(Http1ServerCodec, HoldsThePipelineUntilARequestIsAnswered) {
  Connection connection(get + get);
  EXPECT_TRUE(connection.codec().idle());
  EXPECT_EQ(connection.next(), "request");
  EXPECT_FALSE(connection.codec().idle());
  EXPECT_EQ(connection.codec().take_request().authority, "a");
  EXPECT_EQ(connection.next(), "end");
  EXPECT_EQ(connection.next(), "-");
  EXPECT_EQ(connection.left(), get.size());
  EXPECT_FALSE(connection.codec().reusable());
  EXPECT_EQ(connection.answer(200, five, "hello"),
            "HTTP/1.1 200 R\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(connection.codec().reusable());
  EXPECT_EQ(connection.next(), "request");
  EXPECT_EQ(connection.next(), "end");
  EXPECT_EQ(connection.answer(204, none), "HTTP/1.1 204 R\r\n\r\n");
  EXPECT_EQ(connection.next(), "-");
  EXPECT_TRUE(connection.codec().idle());
}

TEST(Http1ServerCodec, IsNotIdleOnceARequestBegins) {
  Connection connection("GE");
  EXPECT_EQ(connection.next(), "-");
  EXPECT_FALSE(connection.codec().idle());
}

TEST(Http1ServerCodec, ReadsOnWhenTheAnswerComesFirst) {
  Connection connection("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get);
  EXPECT_EQ(connection.next(), "request");
  EXPECT_EQ(connection.answer(413, none, {}), "HTTP/1.1 413 R\r\nContent-Length: 0\r\n\r\n");
  EXPECT_FALSE(connection.codec().reusable());
  EXPECT_EQ(connection.next(), "data hello");
  EXPECT_EQ(connection.next(), "end");
  EXPECT_TRUE(connection.codec().reusable());
  EXPECT_EQ(connection.next(), "request");
}

TEST(Http1ServerCodec, ReadsTheRestOfAnUploadThatWasAnsweredWithClose) {
  Connection connection("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get);
  EXPECT_EQ(connection.next(), "request");
  EXPECT_EQ(connection.answer(413, none, {}, true),
            "HTTP/1.1 413 R\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(connection.next(), "data hello");
  EXPECT_EQ(connection.next(), "end");
  EXPECT_FALSE(connection.codec().reusable());
  EXPECT_EQ(connection.next(), "-") << "no request after a close";
  EXPECT_EQ(connection.left(), get.size());
}

TEST(Http1ServerCodec, FramesAsTheClientUnderstands) {
  {
    Connection connection(get);
    connection.next(), connection.next();
    EXPECT_EQ(connection.answer(200, until_close, "hello"),
              "HTTP/1.1 200 R\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    EXPECT_TRUE(connection.codec().reusable());
  }
  for (const auto body : {chunked, until_close}) {
    Connection connection(get10);
    connection.next(), connection.next();
    EXPECT_EQ(connection.answer(200, body, "hello"),
              "HTTP/1.1 200 R\r\nConnection: close\r\n\r\nhello");
    EXPECT_FALSE(connection.codec().reusable());
  }
  {
    Connection connection(get10);
    connection.next(), connection.next();
    EXPECT_EQ(connection.answer(200, five, "hello"),
              "HTTP/1.1 200 R\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello");
    EXPECT_TRUE(connection.codec().reusable());
  }
  {
    Connection connection("GET / HTTP/1.0\r\n\r\n");
    connection.next(), connection.next();
    EXPECT_EQ(connection.answer(200, five, "hello"),
              "HTTP/1.1 200 R\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    EXPECT_FALSE(connection.codec().reusable());
  }
  {
    Connection connection("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    connection.next(), connection.next();
    EXPECT_EQ(connection.answer(200, five, "hello"),
              "HTTP/1.1 200 R\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    EXPECT_FALSE(connection.codec().reusable());
  }
}

TEST(Http1ServerCodec, SendsNoBodyInAnswerToHead) {
  for (const auto body : {none, chunked, until_close}) {
    Connection connection("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.next(), connection.next();
    const auto out = connection.answer(200, body);
    EXPECT_TRUE(out.ends_with("\r\n\r\n"));
    EXPECT_EQ(out.find("\r\n\r\n"), out.size() - 4) << out;
    EXPECT_EQ(out.find("Content-Length"), std::string::npos);
    EXPECT_TRUE(connection.codec().reusable());
  }
  Connection connection("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  connection.next(), connection.next();
  ResponseHead head;
  head.status = 200;
  head.announced_length = 9;
  EXPECT_EQ(connection.answer(head, {}), "HTTP/1.1 200 \r\nContent-Length: 9\r\n\r\n");
}

TEST(Http1ServerCodec, PassesInterimResponsesToClientsThatKnowThem) {
  ResponseHead head;
  head.status = 100;
  head.reason = "Continue";
  for (const auto& [request, text] :
       {std::pair(get, "HTTP/1.1 100 Continue\r\n\r\n"), std::pair(get10, "")}) {
    Connection connection(request);
    connection.next();
    std::string out;
    connection.codec().write_head(head, false, out);
    EXPECT_EQ(out, text);
    EXPECT_FALSE(connection.codec().reusable());
    EXPECT_NE(connection.answer(200, five, "hello"), "");
  }
}

TEST(Http1ServerCodec, LeavesWhatFollowsAHandshakeAlone) {
  const std::string handshake =
      "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  Connection connection(handshake + "\x81\x80mask");
  EXPECT_EQ(connection.next(), "request");
  EXPECT_TRUE(connection.codec().take_request().wants_websocket);
  EXPECT_EQ(connection.next(), "end");
  EXPECT_EQ(connection.next(), "-");
  ResponseHead head;
  head.status = 101;
  head.reason = "Switching Protocols";
  std::string out;
  connection.codec().write_head(head, false, out);
  EXPECT_EQ(
      out, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_EQ(connection.left(), 6u);
}

TEST(Http1ServerCodec, AnswersABrokenRequestAndCloses) {
  Connection connection(get + "BROKEN\r\n\r\n");
  EXPECT_EQ(connection.next(), "request");
  EXPECT_EQ(connection.next(), "end");
  connection.answer(204, none);
  EXPECT_EQ(connection.next(), "error bad_request");
  EXPECT_FALSE(connection.codec().reusable());
  EXPECT_EQ(connection.next(), "-");
  EXPECT_EQ(connection.answer(400, five, "wrong"),
            "HTTP/1.1 400 R\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwrong");
  EXPECT_FALSE(connection.codec().reusable());
}

TEST(Http1ServerCodec, RefusesABodyThatCannotBeFramed) {
  Connection connection("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
  EXPECT_EQ(connection.next(), "request");
  EXPECT_EQ(connection.next(), "error bad_request");
}

TEST(Http1ServerCodec, DoesNotKeepAConnectionWhoseBodyCameOutShort) {
  Connection connection(get);
  connection.next(), connection.next();
  connection.answer(200, five, "hel");
  EXPECT_FALSE(connection.codec().reusable());
}

TEST(Http1ServerCodec, KnowsWhichBodiesOnlyTheEndOfTheConnectionEnds) {
  const auto ends_at_close = [](const std::string& request, BodyFraming body) {
    Connection connection(request);
    EXPECT_EQ(connection.next(), "request");
    EXPECT_FALSE(connection.codec().ends_at_close());
    ResponseHead head;
    head.status = 200;
    head.reason = "R";
    head.body = body;
    std::string out;
    connection.codec().write_head(head, false, out);
    const bool ends = connection.codec().ends_at_close();
    connection.codec().write_end({}, out);
    EXPECT_FALSE(connection.codec().ends_at_close());
    return ends;
  };
  for (const BodyFraming& body : {none, five, chunked, until_close})
    EXPECT_FALSE(ends_at_close(get, body));
  EXPECT_FALSE(ends_at_close(get10, five));
  EXPECT_TRUE(ends_at_close(get10, chunked));
  EXPECT_TRUE(ends_at_close(get10, until_close));
}

TEST(Http1ServerCodec, NeverWritesMoreThanItSaid) {
  Connection connection(get);
  connection.next(), connection.next();
  EXPECT_TRUE(connection.answer(200, five, "hello, world").ends_with("\r\n\r\nhello"));
}

TEST(Http1ServerCodec, EndsNoChunkedBodyWithAnEmptyPiece) {
  Connection connection(get);
  connection.next(), connection.next();
  ResponseHead head;
  head.status = 200;
  head.body = chunked;
  std::string out;
  connection.codec().write_head(head, false, out);
  const auto frame = connection.codec().frame(0);
  EXPECT_TRUE(frame.prefix.empty() && frame.suffix.empty() && frame.take == 0);
}

TEST(Http1ServerCodec, LooksAheadIntoABodyOfWhichNothingWasTaken) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto look = [&](const std::string& body) {
    Connection connection(head + body);
    EXPECT_EQ(connection.next(), "request");
    const auto ahead = connection.codec().look_ahead(body);
    if (!ahead) {
      EXPECT_FALSE(connection.codec().reusable());
      EXPECT_EQ(connection.next(), "-") << "nothing more is read";
      return std::string(name_of(ahead.error().code));
    }
    // What was looked at is there to be taken, and is not looked at again.
    EXPECT_NE(connection.next().find(*ahead > 0 ? "data" : "-"), std::string::npos);
    EXPECT_EQ(*connection.codec().look_ahead(std::string_view("x")), 0u);
    return std::to_string(*ahead);
  };
  EXPECT_EQ(look("5\r\nhello\r\n3\r\nab"), "7");
  EXPECT_EQ(look("5\r\nhello\r\n0\r\n\r\nGET"), "5");
  EXPECT_EQ(look("5\r\nhello\r\n0\r\nA: b\r"), "5");
  EXPECT_EQ(look("5"), "0");
  EXPECT_EQ(look("5\r\nhello\r\nx"), "bad_request");
  EXPECT_EQ(look("x"), "bad_request");
  EXPECT_EQ(look("0\r\nA b\r\n\r\n"), "bad_request");
  EXPECT_EQ(look("0\r\nA: " + std::string(100'000, 'x')), "head_too_large");
}

TEST(Http1ServerCodec, LooksAheadIntoChunksAlone) {
  Connection connection("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_EQ(connection.next(), "request");
  EXPECT_EQ(*connection.codec().look_ahead(std::string_view("x")), 0u);
  EXPECT_EQ(connection.next(), "data x");
}

TEST(Http1ServerCodec, PassesTrailersBothWays) {
  Connection connection(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n");
  EXPECT_EQ(connection.next(), "request");
  EXPECT_EQ(connection.next(), "end");
  const auto trailers = connection.codec().take_trailers();
  EXPECT_EQ(trailers.get("a"), "b");
  ResponseHead head;
  head.status = 200;
  head.body = chunked;
  std::string out;
  connection.codec().write_head(head, false, out);
  out.clear();
  connection.codec().write_end(trailers, out);
  EXPECT_EQ(out, "0\r\nA: b\r\n\r\n");
}

}  // namespace
}  // namespace usher::protocol
