// Requests that are understood, and as what. Each is fed whole, octet by octet and cut in two at
// every place.

#include "protocol/http1_parser.h"

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
};

void expect_transcripts(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    for_each_cut(row.text, [&](auto pieces, const std::string& how) {
      EXPECT_EQ(transcript_of_requests(pieces), row.transcript) << how;
    });
  }
}

TEST(RequestParser, UnderstandsTheFormsOfATarget) {
  expect_transcripts({
      {"origin-form", "GET /a/b?c=d HTTP/1.1\r\nHost: a:8\r\n\r\n",
       "GET /a/b?c=d @a:8 1.1 none keep-alive {Host: a:8} | end"},
      {"byte for byte", "GET //a/../%2F%2f/./;x=1?&&== HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET //a/../%2F%2f/./;x=1?&&== @a 1.1 none keep-alive {Host: a} | end"},
      {"what browsers leave as it is",
       "GET /|^`{}[]\\~!$'()*,:@?|^`{}[]\\ HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /|^`{}[]\\~!$'()*,:@?|^`{}[]\\ @a 1.1 none keep-alive {Host: a} | end"},
      {"quotes and angle brackets", "GET /\"a\"?<b> HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /\"a\"?<b> @a 1.1 none keep-alive {Host: a} | end"},
      {"a URL in the path", "GET /http://b/c HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /http://b/c @a 1.1 none keep-alive {Host: a} | end"},
      {"two slashes", "GET //b/c HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET //b/c @a 1.1 none keep-alive {Host: a} | end"},
      {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
       "OPTIONS * @a 1.1 none keep-alive {Host: a} | end"},
      {"absolute-form", "GET http://a:8/b?c HTTP/1.1\r\nHost: a:8\r\n\r\n",
       "GET /b?c @a:8 1.1 none keep-alive {Host: a:8} | end"},
      {"absolute-form in capitals", "GET HTTP://A/b HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /b @A 1.1 none keep-alive {Host: a} | end"},
      {"absolute-form without a path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET / @a 1.1 none keep-alive {Host: a} | end"},
      {"absolute-form with a query only", "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /?b @a 1.1 none keep-alive {Host: a} | end"},
      {"absolute-form, https", "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET / @a 1.1 none keep-alive {Host: a} | end"},
      {"absolute-form with the default port", "GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET / @a:80 1.1 none keep-alive {Host: a} | end"},
      {"absolute-form, https, Host with the default port",
       "GET https://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n",
       "GET / @a 1.1 none keep-alive {Host: a:443} | end"},
      {"absolute-form with IPv6", "GET http://[::1]:8/ HTTP/1.1\r\nHost: [::1]:8\r\n\r\n",
       "GET / @[::1]:8 1.1 none keep-alive {Host: [::1]:8} | end"},
      {"absolute-form with OPTIONS and no path", "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
       "OPTIONS * @a 1.1 none keep-alive {Host: a} | end"},
      {"absolute-form with another Host", "GET http://b:81/ HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET / @b:81 1.1 none keep-alive {Host: a} | end"},
      {"absolute-form with the other scheme's port",
       "GET http://a:443/ HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET / @a:443 1.1 none keep-alive {Host: a} | end"},
      {"absolute-form with an empty port", "GET http://a:/ HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET / @a 1.1 none keep-alive {Host: a} | end"},
      {"absolute-form in HTTP/1.0 with another Host", "GET http://b/ HTTP/1.0\r\nHost: a\r\n\r\n",
       "GET / @b 1.0 none {Host: a} | end"},
      {"absolute-form in HTTP/1.0 without Host", "GET http://a/ HTTP/1.0\r\n\r\n",
       "GET / @a 1.0 none | end"},
  });
}

TEST(RequestParser, UnderstandsTheFormsOfAHost) {
  for (const std::string host : {"a", "a.b-c.d", "a_b", "a.", "localhost:8088", "127.0.0.1",
                                 "127.0.0.1:1", "[::1]", "[2001:db8::1]:8443", "[::ffff:192.0.2.1]",
                                 "a:0", "a:65535", "A.B", "0.0.0.0=5000", "a!$&'()*+,;=b:8"}) {
    expect_transcripts({{host, "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
                         "GET / @" + host + " 1.1 none keep-alive {Host: " + host + "} | end"}});
  }
}

TEST(RequestParser, LeavesAnEmptyPortOut) {
  for (const std::string host : {"a", "127.0.0.1", "[::1]"}) {
    expect_transcripts({{host, "GET / HTTP/1.1\r\nHost: " + host + ":\r\n\r\n",
                         "GET / @" + host + " 1.1 none keep-alive {Host: " + host + ":} | end"}});
  }
}

TEST(RequestParser, ReadsALaterVersionAsTheLatestThatIsKnown) {
  for (const std::string minor : {"2", "9"}) {
    expect_transcripts(
        {{minor, "POST / HTTP/1." + minor + "\r\nHost: a\r\nContent-Length: 1\t\r\n\r\nx",
          "POST / @a 1.1 length=1 keep-alive {Host: a} {Content-Length: 1} | data:x | end"}});
  }
}

TEST(RequestParser, PassesEveryMethodButThoseForProxies) {
  for (const std::string method :
       {"GET",   "HEAD",           "POST",     "PUT",   "DELETE", "OPTIONS", "PATCH",  "PROPFIND",
        "MKCOL", "REPORT",         "M-SEARCH", "QUERY", "PURGE",  "LOCK",    "UNLOCK", "COPY",
        "MOVE",  "SEARCH",         "LINK",     "ACL",   "BREW",   "GETS",    "get",    "Get",
        "G.T",   "QUER",           "-BLARGH",  "SETUP", "SOURCE", "X",       "TRACES", "CONNECTX",
        "PRIX",  "!#$%&'*+-.^_`|~"}) {
    expect_transcripts({{method, method + " / HTTP/1.1\r\nHost: a\r\n\r\n",
                         method + " / @a 1.1 none keep-alive {Host: a} | end"}});
  }
}

TEST(RequestParser, FramesBodies) {
  expect_transcripts({
      {"length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
       "POST / @a 1.1 length=5 keep-alive {Host: a} {Content-Length: 5} | data:hello | end"},
      {"length 0", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
       "POST / @a 1.1 length=0 keep-alive {Host: a} {Content-Length: 0} | end"},
      {"tabs around the length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\t1 \t \r\n\r\nx",
       "POST / @a 1.1 length=1 keep-alive {Host: a} {Content-Length: 1} | data:x | end"},
      {"a tab inside another value",
       "POST / HTTP/1.1\r\nHost: a\r\nA: b\tc \t\r\nContent-Length: 1\t\r\n\r\nx",
       "POST / @a 1.1 length=1 keep-alive {Host: a} {A: b\tc} {Content-Length: 1} | data:x | end"},
      {"GET with a body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
       "GET / @a 1.1 length=1 keep-alive {Host: a} {Content-Length: 1} | data:x | end"},
      {"POST without", "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
       "POST / @a 1.1 none keep-alive {Host: a} | end"},
      {"length in HTTP/1.0", "POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx",
       "POST / @ 1.0 length=1 {Content-Length: 1} | data:x | end"},
      {"largest length",
       "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\nx",
       "POST / @a 1.1 length=9223372036854775807 keep-alive {Host: a} "
       "{Content-Length: 9223372036854775807} | data:x | incomplete"},
      {"chunked",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
       "00a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n",
       "POST / @a 1.1 chunked keep-alive {Host: a} {Transfer-Encoding: Chunked} | "
       "data:0123456789abcdefghij | end"},
      {"chunked, empty",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "POST / @a 1.1 chunked keep-alive {Host: a} {Transfer-Encoding: chunked} | end"},
      {"extensions",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
       "1;a;b=c;d=\"e;\\\"\\\\ \xc3\xa9\t\";f\r\nx\r\n0;last=\"\"\r\n\r\n",
       "POST / @a 1.1 chunked keep-alive {Host: a} {Transfer-Encoding: chunked} | data:x | end"},
      {"white space around the marks of extensions",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
       "1 \t;\ta \t= b\t ; c\t;d= \"e\" ;f\r\nx\r\n0 ; last\r\n\r\n",
       "POST / @a 1.1 chunked keep-alive {Host: a} {Transfer-Encoding: chunked} | data:x | end"},
      {"line ends in the data",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
       "4\r\n\r\n\r\n\r\n0\r\n\r\n",
       "POST / @a 1.1 chunked keep-alive {Host: a} {Transfer-Encoding: chunked} | "
       "data:\r\n\r\n | end"},
      {"trailers",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA:  b \r\nC:\r\n\r\n",
       "POST / @a 1.1 chunked keep-alive {Host: a} {Transfer-Encoding: chunked} | end {A: b} {C: "
       "}"},
      {"15 digits of size",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
       "000000000000001\r\nx\r\n0\r\n\r\n",
       "POST / @a 1.1 chunked keep-alive {Host: a} {Transfer-Encoding: chunked} | data:x | end"},
      {"empty list elements beside chunked",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\t \r\n\r\n0\r\n\r\n",
       "POST / @a 1.1 chunked keep-alive {Host: a} {Transfer-Encoding: chunked} | end"},
      {"Transfer_Encoding is another field",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n",
       "POST / @a 1.1 none keep-alive {Host: a} {Transfer_Encoding: chunked} | end"},
  });
}

TEST(RequestParser, TakesPipelinedRequestsOneByOne) {
  expect_transcripts({
      {"three",
       "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
       "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGET"
       "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /1 @a 1.1 none keep-alive {Host: a} | end | "
       "POST /2 @a 1.1 length=3 keep-alive {Host: a} {Content-Length: 3} | data:GET | end | "
       "GET /3 @a 1.1 none keep-alive {Host: a} | end"},
      {"an empty line before each",
       "\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
       "GET /1 @a 1.1 none keep-alive {Host: a} | end | "
       "GET /2 @a 1.1 none keep-alive {Host: a} | end"},
      {"the second is broken", "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
       "GET /1 @a 1.1 none keep-alive {Host: a} | end | error:bad_request"},
      {"the second is incomplete", "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTT",
       "GET /1 @a 1.1 none keep-alive {Host: a} | end | incomplete"},
  });
}

TEST(RequestParser, ConsumesNothingBeyondTheMessage) {
  RequestParser parser({});
  const std::string text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxyGET";
  std::span<const char> input(text);
  EXPECT_TRUE(parser.between_messages());
  EXPECT_EQ(parser.next(input)->kind, ParsedKind::head);
  EXPECT_FALSE(parser.between_messages());
  EXPECT_EQ(input.size(), 5u);
  const auto data = parser.next(input);
  EXPECT_EQ(data->data.data(), text.data() + text.size() - 5) << "a piece of the input, not a copy";
  EXPECT_EQ(parser.next(input)->kind, ParsedKind::end);
  EXPECT_EQ(input.size(), 3u);
  EXPECT_TRUE(parser.between_messages());
  EXPECT_EQ(parser.next(input)->kind, ParsedKind::need_more);
  EXPECT_FALSE(parser.between_messages());
}

TEST(RequestParser, TellsWhetherTheClientWantsToStay) {
  const auto get = [](std::string version, std::string connection) {
    return "GET / HTTP/" + version + "\r\nHost: a\r\nConnection: " + connection + "\r\n\r\n";
  };
  const auto is = [](std::string minor, std::string connection, std::string keep) {
    return "GET / @a 1." + minor + " none" + keep + " {Host: a} {Connection: " + connection +
           "} | end";
  };
  expect_transcripts({
      {"close", get("1.1", "close"), is("1", "close", "")},
      {"Close", get("1.1", "Close"), is("1", "Close", "")},
      {"close among others", get("1.1", "a , close,"), is("1", "a , close,", "")},
      {"close wins", get("1.1", "keep-alive, close"), is("1", "keep-alive, close", "")},
      {"nearly close", get("1.1", "closed"), is("1", "closed", " keep-alive")},
      {"keep-alive in HTTP/1.0", get("1.0", "Keep-Alive"), is("0", "Keep-Alive", " keep-alive")},
      {"something else in HTTP/1.0", get("1.0", "x"), is("0", "x", "")},
      {"both in HTTP/1.0", get("1.0", "keep-alive, close"), is("0", "keep-alive, close", "")},
  });
}

TEST(RequestParser, UnderstandsExpectContinue) {
  expect_transcripts({
      {"with a body",
       "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
       "POST / @a 1.1 length=1 keep-alive expects-continue {Host: a} {Expect: 100-Continue} "
       "{Content-Length: 1} | data:x | end"},
      {"said twice it goes on once",
       "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n"
       "expect: 100-continue\r\n\r\nx",
       "POST / @a 1.1 length=1 keep-alive expects-continue {Host: a} {Expect: 100-continue} "
       "{Content-Length: 1} | data:x | end"},
      {"without a body it is dropped", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
       "GET / @a 1.1 none keep-alive {Host: a} | end"},
      {"in HTTP/1.0 it is dropped",
       "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
       "POST / @a 1.0 length=1 {Host: a} {Content-Length: 1} | data:x | end"},
      {"in HTTP/1.0 whatever it says",
       "POST / HTTP/1.0\r\nHost: a\r\nExpect: x\r\nContent-Length: 1\r\n\r\nx",
       "POST / @a 1.0 length=1 {Host: a} {Content-Length: 1} | data:x | end"},
  });
}

enum class Asks : uint8_t { a_websocket, nothing_special, in_vain };

struct Handshake {
  std::string what;
  std::string from;
  std::string to;
  Asks asks;
};

TEST(RequestParser, KnowsAWebsocketHandshakeFromOtherRequestsAndFromBadOnes) {
  const std::string valid =
      "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  const std::vector<Handshake> rows{
      {"as it is", "", "", Asks::a_websocket},
      {"length 0", "\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", Asks::a_websocket},
      {"several protocols", "WebSocket\r\n", "x, websocket\r\n", Asks::a_websocket},
      {"two Connection fields", "keep-alive, Upgrade", "keep-alive\r\nConnection: upgrade",
       Asks::a_websocket},
      {"version 12: the replica says which it speaks", ": 13", ": 12", Asks::a_websocket},
      {"version 0", ": 13", ": 0", Asks::a_websocket},
      {"version 255", ": 13", ": 255", Asks::a_websocket},
      {"POST", "GET", "POST", Asks::nothing_special},
      {"HTTP/1.0", "HTTP/1.1", "HTTP/1.0", Asks::nothing_special},
      {"no upgrade in Connection", "keep-alive, Upgrade", "keep-alive", Asks::nothing_special},
      {"no Connection", "Connection", "X-Connection", Asks::nothing_special},
      {"h2c", "WebSocket\r\n", "h2c\r\n", Asks::nothing_special},
      {"another protocol version", "WebSocket\r\n", "websocket/13\r\n", Asks::nothing_special},
      {"no Upgrade", "Upgrade: ", "X-Upgrade: ", Asks::nothing_special},
      {"no key", "Sec-WebSocket-Key", "Sec-WebSocket-Kex", Asks::in_vain},
      {"a key with an underscore in its name", "Sec-WebSocket-Key", "Sec_WebSocket_Key",
       Asks::in_vain},
      {"empty key", "dGhlIHNhbXBsZSBub25jZQ==", "", Asks::in_vain},
      {"short key", "dGhl", "", Asks::in_vain},
      {"long key", "dGhl", "dGhldGhl", Asks::in_vain},
      {"key without padding", "==", "", Asks::in_vain},
      {"key with a wrong character", "dGhl", "dG-l", Asks::in_vain},
      {"key with one padding character", "ZQ==", "ZQQ=", Asks::in_vain},
      {"two keys", "Sec-WebSocket-Version",
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version", Asks::in_vain},
      {"versions", ": 13", ": 13, 8", Asks::in_vain},
      {"two versions", "Version: 13", "Version: 13\r\nSec-WebSocket-Version: 8", Asks::in_vain},
      {"no version", "Sec-WebSocket-Version", "X-Version", Asks::in_vain},
      {"empty version", ": 13", ":", Asks::in_vain},
      {"version 256", ": 13", ": 256", Asks::in_vain},
      {"version 013", ": 13", ": 013", Asks::in_vain},
      {"version 13a", ": 13", ": 13a", Asks::in_vain},
      {"a body", "\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx", Asks::in_vain},
      {"a chunked body", "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       Asks::in_vain},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    std::string text = valid;
    text.replace(row.from.empty() ? 0 : text.rfind(row.from), row.from.size(), row.to);
    for_each_cut(text, [&](auto pieces, const std::string& how) {
      const auto transcript = transcript_of_requests(pieces);
      if (row.asks == Asks::in_vain) {
        EXPECT_EQ(transcript, "error:bad_request") << how;
        return;
      }
      EXPECT_EQ(transcript.find(" websocket {") != std::string::npos, row.asks == Asks::a_websocket)
          << how << transcript;
      EXPECT_TRUE(transcript.ends_with("| end")) << how << transcript;
    });
  }
}

TEST(RequestParser, KeepsTextValidWhenTheHeadMoves) {
  RequestParser parser({});
  RequestHead head;
  {
    const std::string text = "GET http://a?q HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
    std::span<const char> input(text);
    ASSERT_EQ(parser.next(input)->kind, ParsedKind::head);
    RequestHead first = parser.take_head();
    first.headers.append("D", "e");
    head = std::move(first);
    first.headers.append("X", "y");
  }
  head.headers.set("B", "f");
  EXPECT_EQ(describe(head), "GET /?q @a 1.1 none keep-alive {Host: a} {B: f} {D: e}");
  EXPECT_EQ(head.path(), "/");
  EXPECT_EQ(head.query(), "q");
}

TEST(RequestParser, SkipsTheEmptyBodyOfAParserWithNothingToRead) {
  RequestParser parser({});
  std::span<const char> nothing;
  EXPECT_EQ(parser.next(nothing)->kind, ParsedKind::need_more);
  EXPECT_TRUE(parser.between_messages());
}

TEST(CheckHeadBytes, JudgesOneWholeHead) {
  EXPECT_TRUE(check_head_bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  EXPECT_TRUE(check_head_bytes("HTTP/1.1 200 OK\r\nA: b\r\n\r\n").ok());
  EXPECT_FALSE(check_head_bytes("").ok());
  EXPECT_FALSE(check_head_bytes("GET / HTTP/1.1\r\nHost: a\r\n").ok());
  EXPECT_FALSE(check_head_bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\nx").ok());
  EXPECT_FALSE(check_head_bytes("GET / HTTP/1.1\nHost: a\n\n").ok());
  EXPECT_FALSE(check_head_bytes("GET / HTTP/1.1\r\nA : b\r\n\r\n").ok());
}

}  // namespace
}  // namespace usher::protocol
