// Responses of replicas: what is understood, and a table of what is not. Each is fed whole, octet
// by octet and cut in two at every place. Long because of the tables.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/protocol/transcript.h"

namespace usher::protocol {
namespace {

using namespace std::string_literals;

struct Row {
  std::string what;
  std::string text;
  std::string transcript;
  Answered answered = {};
};

void expect_transcripts(const std::vector<Row>& rows, HeadLimits limits = {}) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    for_each_cut(row.text, [&](auto pieces, const std::string& how) {
      EXPECT_EQ(transcript_of_response(pieces, row.answered, limits), row.transcript) << how;
    });
  }
}

struct Refusal {
  std::string what;
  std::string text;
};

void expect_refused(const std::vector<Refusal>& refusals, const std::string& accepted_before = {},
                    HeadLimits limits = {}) {
  std::vector<Row> rows;
  for (const auto& refusal : refusals) {
    rows.push_back({refusal.what, refusal.text, accepted_before + "error:replica_bad_response"});
  }
  expect_transcripts(rows, limits);
}

std::string with_status_line(const std::string& line) {
  return line + "\r\nContent-Length: 0\r\n\r\n";
}
std::string with_field(const std::string& field) {
  return "HTTP/1.1 200 OK\r\n" + field + "\r\n\r\n";
}

TEST(ResponseParser, FramesBodiesAsTheFieldsSay) {
  expect_transcripts({
      {"length", with_field("Content-Length: 5") + "hello",
       "200 'OK' 1.1 length=5 keep-alive {Content-Length: 5} | data:hello | end"},
      {"length with leading zeros", with_field("Content-Length: 005") + "hello",
       "200 'OK' 1.1 length=5 keep-alive {Content-Length: 005} | data:hello | end"},
      {"a later HTTP/1", "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
       "200 'OK' 1.1 length=5 keep-alive {Content-Length: 5} | data:hello | end"},
      {"length 0", with_field("Content-Length: 0"),
       "200 'OK' 1.1 length=0 keep-alive {Content-Length: 0} | end"},
      {"chunked", with_field("Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n",
       "200 'OK' 1.1 chunked keep-alive {Transfer-Encoding: chunked} | data:hello | end"},
      {"chunked in capitals", with_field("Transfer-Encoding: CHUNKED") + "5\r\nhello\r\n0\r\n\r\n",
       "200 'OK' 1.1 chunked keep-alive {Transfer-Encoding: CHUNKED} | data:hello | end"},
      {"chunked with trailers",
       with_field("Transfer-Encoding: chunked") + "1\r\na\r\n000\r\nA: b \r\nC:\r\n\r\n",
       "200 'OK' 1.1 chunked keep-alive {Transfer-Encoding: chunked} | data:a | end {A: b} {C: }"},
      {"until close",
       with_field("A: b") + "hello",
       "200 'OK' 1.1 until_close {A: b} | data:hello | complete at close",
       {.closed = true}},
      {"until close, empty",
       with_field("A: b"),
       "200 'OK' 1.1 until_close {A: b} | complete at close",
       {.closed = true}},
      {"until close in HTTP/1.0",
       "HTTP/1.0 200 OK\r\n\r\nhello",
       "200 'OK' 1.0 until_close | data:hello | complete at close",
       {.closed = true}},
  });
}

TEST(ResponseParser, TakesABodyCutShortForWhatItIs) {
  expect_transcripts({
      {"length",
       with_field("Content-Length: 5") + "hell",
       "200 'OK' 1.1 length=5 keep-alive {Content-Length: 5} | data:hell | cut short",
       {.closed = true}},
      {"chunked without its last chunk",
       with_field("Transfer-Encoding: chunked") + "5\r\nhello\r\n",
       "200 'OK' 1.1 chunked keep-alive {Transfer-Encoding: chunked} | data:hello | cut short",
       {.closed = true}},
      {"chunked without its last line",
       with_field("Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n",
       "200 'OK' 1.1 chunked keep-alive {Transfer-Encoding: chunked} | data:hello | cut short",
       {.closed = true}},
      {"head", "HTTP/1.1 200 OK\r\nA: b\r\n", "cut short", {.closed = true}},
  });
}

TEST(ResponseParser, KnowsWhichResponsesHaveNoBody) {
  expect_transcripts({
      {"HEAD with a length",
       with_field("Content-Length: 5"),
       "200 'OK' 1.1 none announced=5 keep-alive {Content-Length: 5} | end",
       {.method = "HEAD"}},
      {"HEAD with chunked",
       with_field("Transfer-Encoding: chunked"),
       "200 'OK' 1.1 none keep-alive {Transfer-Encoding: chunked} | end",
       {.method = "HEAD"}},
      {"HEAD with neither",
       with_field("A: b"),
       "200 'OK' 1.1 none keep-alive {A: b} | end",
       {.method = "HEAD"}},
      {"head in lower case is another method",
       with_field("A: b"),
       "200 'OK' 1.1 until_close {A: b} | complete at close",
       {.method = "head", .closed = true}},
      {"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
       "304 'Not Modified' 1.1 none announced=5 keep-alive {Content-Length: 5} | end"},
      {"304", "HTTP/1.1 304 Not Modified\r\n\r\n", "304 'Not Modified' 1.1 none keep-alive | end"},
      {"204", "HTTP/1.1 204 No Content\r\n\r\n", "204 'No Content' 1.1 none keep-alive | end"},
      {"204 with length 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
       "204 'No Content' 1.1 none keep-alive {Content-Length: 0} | end"},
      {"204 with a length: the connection is not trusted again",
       "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
       "204 'No Content' 1.1 none {Content-Length: 5} | end | left:hello"},
      {"204 with chunked: likewise",
       "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
       "204 'No Content' 1.1 none {Transfer-Encoding: chunked} | end"},
  });
}

TEST(ResponseParser, PassesInterimResponsesOn) {
  expect_transcripts({
      {"100", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
       "100 'Continue' 1.1 none keep-alive | 204 'No Content' 1.1 none keep-alive | end"},
      {"103, twice",
       "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
       "HTTP/1.1 204 No Content\r\n\r\n",
       "103 'Early Hints' 1.1 none keep-alive {Link: a} | 103 'Early Hints' 1.1 none keep-alive | "
       "204 'No Content' 1.1 none keep-alive | end"},
      {"100 with length 0",
       "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
       "100 'Continue' 1.1 none keep-alive {Content-Length: 0} | "
       "204 'No Content' 1.1 none keep-alive | end"},
  });
}

TEST(ResponseParser, LeavesToTheNewProtocolWhatFollowsA101) {
  const auto head =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"s;
  const auto transcript =
      "101 'Switching Protocols' 1.1 none keep-alive {Upgrade: websocket} {Connection: Upgrade}"s;
  expect_transcripts({
      {"nothing", head, transcript},
      {"a frame", head + "\x81\x05hello", transcript + " | left:\x81\x05hello"},
      {"what looks like a response", head + "HTTP/1.1 200 OK\r\n\r\n",
       transcript + " | left:HTTP/1.1 200 OK\r\n\r\n"},
  });
}

TEST(ResponseParser, KnowsA426ThatRequiresAWebsocket) {
  const auto with = [](std::string status, std::string upgrade) {
    return "HTTP/1.1 " + status + " R\r\nContent-Length: 0\r\nUpgrade: " + upgrade + "\r\n\r\n";
  };
  const auto is = [](std::string status, std::string required, std::string upgrade) {
    return status + " 'R' 1.1 length=0 keep-alive" + required +
           " {Content-Length: 0} {Upgrade: " + upgrade + "} | end";
  };
  expect_transcripts({
      {"it does", with("426", "WebSocket"), is("426", " requires-websocket", "WebSocket")},
      {"or h2c", with("426", "h2c, websocket"), is("426", " requires-websocket", "h2c, websocket")},
      {"h2c", with("426", "h2c"), is("426", "", "h2c")},
      {"another status", with("400", "websocket"), is("400", "", "websocket")},
  });
}

TEST(ResponseParser, TellsWhetherTheConnectionLasts) {
  expect_transcripts({
      {"close", "HTTP/1.1 204 N\r\nConnection: close\r\n\r\n",
       "204 'N' 1.1 none {Connection: close} | end"},
      {"close in a list", "HTTP/1.1 204 N\r\nConnection: x, Close\r\n\r\n",
       "204 'N' 1.1 none {Connection: x, Close} | end"},
      {"close and keep-alive", "HTTP/1.1 204 N\r\nConnection: keep-alive, close\r\n\r\n",
       "204 'N' 1.1 none {Connection: keep-alive, close} | end"},
      {"close in a second field",
       "HTTP/1.1 204 N\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
       "204 'N' 1.1 none {Connection: keep-alive} {Connection: close} | end"},
      {"HTTP/1.0", "HTTP/1.0 204 N\r\n\r\n", "204 'N' 1.0 none | end"},
      {"HTTP/1.0 keep-alive", "HTTP/1.0 204 N\r\nConnection: Keep-Alive\r\n\r\n",
       "204 'N' 1.0 none keep-alive {Connection: Keep-Alive} | end"},
  });
}

TEST(ResponseParser, TakesStatusLinesAsServersWriteThem) {
  expect_transcripts({
      {"no reason", "HTTP/1.1 204 \r\n\r\n", "204 '' 1.1 none keep-alive | end"},
      {"no reason and no space", "HTTP/1.1 204\r\n\r\n", "204 '' 1.1 none keep-alive | end"},
      {"reason of several words", "HTTP/1.1 204 a b  c\r\n\r\n",
       "204 'a b  c' 1.1 none keep-alive | end"},
      {"reason in UTF-8", "HTTP/1.1 204 \xc3\xa9\r\n\r\n",
       "204 '\xc3\xa9' 1.1 none keep-alive | end"},
      {"unusual status", "HTTP/1.1 799 X\r\nContent-Length: 0\r\n\r\n",
       "799 'X' 1.1 length=0 keep-alive {Content-Length: 0} | end"},
      {"999", "HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n",
       "999 'X' 1.1 length=0 keep-alive {Content-Length: 0} | end"},
  });
}

TEST(ResponseParser, KeepsFieldsInTheirOrder) {
  expect_transcripts({
      {"Set-Cookie lines",
       "HTTP/1.1 204 N\r\nSet-Cookie: a=1\r\nX: \r\nset-cookie:b=2\t \r\nY:\t\xc3\xa9 z\r\n\r\n",
       "204 'N' 1.1 none keep-alive {Set-Cookie: a=1} {X: } {set-cookie: b=2} {Y: \xc3\xa9 z} | "
       "end"},
  });
}

TEST(ResponseRefusals, RefuseAMalformedStatusLine) {
  expect_refused({
      {"HTTP/2.0", with_status_line("HTTP/2.0 200 OK")},
      {"HTTP/0.9", with_status_line("HTTP/0.9 200 OK")},
      {"lower case", with_status_line("http/1.1 200 OK")},
      {"one number", with_status_line("HTTP/1 200 OK")},
      {"two digits of minor number", with_status_line("HTTP/1.10 200 OK")},
      {"ICY", with_status_line("ICY 200 OK")},
      {"two digits", with_status_line("HTTP/1.1 20 OK")},
      {"two digits and no reason", with_status_line("HTTP/1.1 20")},
      {"four digits", with_status_line("HTTP/1.1 2000 OK")},
      {"letters", with_status_line("HTTP/1.1 2xx OK")},
      {"below 100", with_status_line("HTTP/1.1 099 OK")},
      {"zero", with_status_line("HTTP/1.1 000 OK")},
      {"negative", with_status_line("HTTP/1.1 -20 OK")},
      {"plus sign", with_status_line("HTTP/1.1 +20 OK")},
      {"hexadecimal", with_status_line("HTTP/1.1 0x0 OK")},
      {"no status", with_status_line("HTTP/1.1")},
      {"no status, space", with_status_line("HTTP/1.1 ")},
      {"only a reason", with_status_line("HTTP/1.1 OK")},
      {"two spaces before the status", with_status_line("HTTP/1.1  200 OK")},
      {"tab before the status", with_status_line("HTTP/1.1\t200 OK")},
      {"tab after the status", with_status_line("HTTP/1.1 200\tOK")},
      {"reason without a space", with_status_line("HTTP/1.1 200OK")},
      {"comma after the status", with_status_line("HTTP/1.1 200, OK")},
      {"NUL in the reason", with_status_line("HTTP/1.1 200 O\0K"s)},
      {"control character in the reason", with_status_line("HTTP/1.1 200 O\x01K")},
      {"DEL in the reason", with_status_line("HTTP/1.1 200 O\x7fK")},
      {"bare CR in the reason", with_status_line("HTTP/1.1 200 O\rK")},
      {"space first", with_status_line(" HTTP/1.1 200 OK")},
      {"empty line first", "\r\n" + with_status_line("HTTP/1.1 200 OK")},
      {"bare LF first", "\n" + with_status_line("HTTP/1.1 200 OK")},
      {"a request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a request that begins like a response", "HTTP / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"HTTP/0.9", "<html>"},
      {"a TLS alert", "\x15\x03\x01"},
  });
}

TEST(ResponseRefusals, RefuseMalformedFields) {
  expect_refused({
      {"space before the colon", with_field("A : b")},
      {"tab before the colon", with_field("A\t: b")},
      {"empty name", with_field(": b")},
      {"no colon", with_field("A")},
      {"folded", with_field("A: b\r\n c")},
      {"folded first line", with_field(" A: b")},
      {"NUL in a name", with_field("A\0: b"s)},
      {"NUL in a value", with_field("A: \0"s)},
      {"control character in a value", with_field("A: \x02")},
      {"DEL in a value", with_field("A: \x7f")},
      {"obs-text in a name", with_field("\xe9: b")},
      {"bare CR in a value", with_field("A: b\rSet-Cookie: c=d")},
      {"bare LF between fields", with_field("A: b\nB: c")},
      {"bare LF after the first line", "HTTP/1.1 200 OK\nA: b\r\n\r\n"},
      {"bare LF at the end", "HTTP/1.1 200 OK\r\nA: b\r\n\n"},
      {"bare LF everywhere", "HTTP/1.1 200 OK\nA: b\n\n"},
      {"CR CR LF at the end", "HTTP/1.1 200 OK\r\nA: b\r\n\r\r\n"},
      {"CR CR LF after the first line", "HTTP/1.1 200 OK\r\r\nA: b\r\n\r\n"},
  });
}

TEST(ResponseRefusals, RefuseAmbiguousFraming) {
  expect_refused({
      {"two lengths, the same", with_field("Content-Length: 5\r\nContent-Length: 5")},
      {"two lengths, differing", with_field("Content-Length: 5\r\nContent-Length: 6")},
      {"list of lengths", with_field("Content-Length: 5, 5")},
      {"empty length", with_field("Content-Length:")},
      {"plus sign", with_field("Content-Length: +5")},
      {"minus sign", with_field("Content-Length: -5")},
      {"hexadecimal length", with_field("Content-Length: 0x5")},
      {"letters after a length", with_field("Content-Length: 5a")},
      {"space in a length", with_field("Content-Length: 5 5")},
      {"length 2^63", with_field("Content-Length: 9223372036854775808")},
      {"length 2^64", with_field("Content-Length: 18446744073709551616")},
      {"length and chunked", with_field("Content-Length: 5\r\nTransfer-Encoding: chunked")},
      {"chunked and length", with_field("Transfer-Encoding: chunked\r\nContent-Length: 5")},
      {"length and an unknown coding", with_field("Content-Length: 5\r\nTransfer-Encoding: x")},
      {"gzip", with_field("Transfer-Encoding: gzip")},
      {"identity", with_field("Transfer-Encoding: identity")},
      {"gzip, chunked", with_field("Transfer-Encoding: gzip, chunked")},
      {"chunked, gzip", with_field("Transfer-Encoding: chunked, gzip")},
      {"chunked twice", with_field("Transfer-Encoding: chunked, chunked")},
      {"chunked in two fields",
       with_field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")},
      {"empty coding", with_field("Transfer-Encoding:")},
      {"chunked with a parameter", with_field("Transfer-Encoding: chunked;q=1")},
      {"nearly chunked", with_field("Transfer-Encoding: xchunked")},
      {"vertical tab before chunked", with_field("Transfer-Encoding: \vchunked")},
      {"chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"100 with a length", "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n"},
      {"100 with chunked", "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"101 with a length", "HTTP/1.1 101 S\r\nContent-Length: 5\r\n\r\n"},
      {"101 with chunked", "HTTP/1.1 101 S\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"304 with two lengths", "HTTP/1.1 304 N\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"},
      {"204 with both",
       "HTTP/1.1 204 N\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
  });
}

TEST(ResponseRefusals, RefuseMalformedChunks) {
  const auto head = with_field("Transfer-Encoding: chunked");
  const std::string accepted = "200 'OK' 1.1 chunked keep-alive {Transfer-Encoding: chunked} | ";
  expect_refused(
      {
          {"no size", head + "\r\n"},
          {"bare LF", head + "5\nhello\r\n"},
          {"space after the size", head + "5 \r\nhello\r\n"},
          {"hexadecimal prefix", head + "0x5\r\nhello\r\n"},
          {"minus sign", head + "-1\r\n"},
          {"size too large", head + "fffffffffffffffff\r\n"},
          {"bare LF in an extension", head + "5;a\nhello\r\n"},
          {"the next response", head + "HTTP/1.1 200 OK\r\n\r\n"},
          {"malformed trailer", head + "0\r\nA b\r\n\r\n"},
          {"folded trailer", head + "0\r\nA: b\r\n c\r\n\r\n"},
          {"bare LF after the last chunk", head + "0\r\n\n"},
      },
      accepted);
  expect_refused(
      {
          {"data longer than its size", head + "5\r\nhello!\r\n"},
          {"bare LF after data", head + "5\r\nhello\n0\r\n\r\n"},
          {"no line end after data", head + "5\r\nhello0\r\n\r\n"},
      },
      accepted + "data:hello | ");
}

TEST(ResponseRefusals, BoundTheHead) {
  const HeadLimits limits{.bytes = 64, .fields = 2};
  expect_refused(
      {
          {"large field", with_field("A: " + std::string(100, 'x'))},
          {"long reason", "HTTP/1.1 200 " + std::string(100, 'x') + "\r\n\r\n"},
          {"no end", "HTTP/1.1 200 " + std::string(100, 'x')},
          {"many fields", with_field("A: b\r\nA: b\r\nA: b")},
      },
      {}, limits);
}

TEST(ResponseParser, RefusesOctetsThatNoRequestAskedFor) {
  ResponseParser parser({});
  const std::string text = "HTTP/1.1 204 N\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
  std::span<const char> input(text);
  parser.expect("GET");
  EXPECT_EQ(parser.next(input)->kind, ParsedKind::head);
  EXPECT_EQ(parser.next(input)->kind, ParsedKind::end);
  const auto unasked = parser.next(input);
  ASSERT_FALSE(unasked.ok());
  EXPECT_EQ(unasked.error().code, Errc::replica_bad_response);
  EXPECT_EQ(unasked.error().side, Side::replica);
  parser.expect("GET");
  EXPECT_FALSE(parser.next(input).ok()) << "an error is for good";
}

TEST(ResponseParser, ReadsOneResponseAfterAnother) {
  ResponseParser parser({});
  const std::string text =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: 1\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb";
  std::span<const char> input(text);
  parser.expect("GET");
  EXPECT_EQ(parser.next(input)->kind, ParsedKind::head);
  EXPECT_EQ(parser.next(input)->kind, ParsedKind::data);
  EXPECT_EQ(parser.next(input)->kind, ParsedKind::end);
  parser.expect("GET");
  EXPECT_EQ(parser.next(input)->kind, ParsedKind::head);
  const auto data = parser.next(input);
  EXPECT_EQ(data->data.front(), 'b');
  EXPECT_EQ(parser.next(input)->kind, ParsedKind::end);
  EXPECT_TRUE(parser.take_trailers().empty())
      << "the first response's trailers are not the second's";
  EXPECT_TRUE(input.empty());
}

}  // namespace
}  // namespace usher::protocol
