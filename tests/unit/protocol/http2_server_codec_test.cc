#include "protocol/http2_server_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace usher::protocol {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using testing::AllOf;
using testing::ElementsAre;
using testing::Gt;
using testing::HasSubstr;
using testing::Lt;

enum Type : uint8_t { data = 0, headers = 1, reset = 3, settings = 4, window_update = 8 };
constexpr uint8_t end_stream = 1, end_headers = 4;

std::string number(uint32_t value, int octets) {
  std::string text;
  for (int i = octets - 1; i >= 0; --i)
    text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

std::string frame(Type type, uint8_t flags, StreamId stream, const std::string& payload) {
  return number(static_cast<uint32_t>(payload.size()), 3) + number(type, 1) + number(flags, 1) +
         number(static_cast<uint32_t>(stream), 4) + payload;
}

// Literals that are not indexed (RFC 7541 section 6.2.2), each shorter than 127 octets.
std::string block(const Fields& fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    text += '\0' + number(static_cast<uint32_t>(name.size()), 1) + name +
            number(static_cast<uint32_t>(value.size()), 1) + value;
  }
  return text;
}

Fields request(const std::string& method, Fields more = {}) {
  Fields fields{{":method", method}, {":scheme", "https"}, {":authority", "a"}, {":path", "/p?q"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

// A client's octets, and the codec that reads them.
class Connection final {
 public:
  explicit Connection(const Http2Limits& limits = {}) : codec(limits) {
    receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(settings, 0, 0, "") +
            frame(settings, 1, 0, ""));
    sent();
  }

  // What happens, as "request 1", "data 1 hello", "end 1".
  std::vector<std::string> receive(const std::string& octets) {
    outcome = codec.receive(octets, now);
    return happened();
  }
  std::vector<std::string> happened() {
    static constexpr const char* names[] = {"request", "data",   "end", "writable",
                                            "sent",    "closed", "pong"};
    std::vector<Http2Event> events;
    codec.take_events(events);
    std::vector<std::string> text;
    for (const Http2Event& event : events) {
      text.push_back(std::string(names[static_cast<size_t>(event.kind)]) + " " +
                     std::to_string(event.stream));
      if (!event.data.empty()) text.back().append(" ").append(event.data.begin(), event.data.end());
    }
    return text;
  }
  std::string sent() {
    std::string out;
    while (codec.pull(out, 1 << 20)) {
    }
    return out;
  }
  std::vector<std::string> ask(StreamId stream, const Fields& fields, bool last = true) {
    const uint8_t flags = end_headers | (last ? end_stream : 0);
    return receive(frame(headers, flags, stream, block(fields)));
  }

  Http2ServerCodec codec;
  Outcome outcome;
  MonotonicTime now{};
};

ResponseHead response(uint16_t status, BodyFraming body = {}) {
  ResponseHead head;
  head.status = status;
  head.body = body;
  return head;
}

TEST(Http2ServerCodec, MakesTheRequestThatHttp1WouldHaveCarried) {
  Connection connection;
  const Fields fields = request("GET", {{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}});
  EXPECT_THAT(connection.ask(1, fields), ElementsAre("request 1", "end 1"));
  const auto head = connection.codec.take_request(1);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->method, "GET");
  EXPECT_EQ(head->target, "/p?q");
  EXPECT_EQ(head->authority, "a");
  EXPECT_EQ(head->body, BodyFraming{});
  EXPECT_EQ(head->headers.get("Cookie"), "a=1; b=2");
  EXPECT_EQ(head->headers.size(), 2u);
}

TEST(Http2ServerCodec, FramesABodyByItsLengthOrInChunks) {
  Connection connection;
  connection.ask(1, request("POST"), false);
  EXPECT_EQ(connection.codec.take_request(1)->body.kind, BodyKind::chunked);
  connection.ask(3, request("POST", {{"content-length", "5"}}), false);
  EXPECT_EQ(connection.codec.take_request(3)->body, (BodyFraming{BodyKind::length, 5}));
  EXPECT_THAT(connection.receive(frame(data, end_stream, 3, "hello")),
              ElementsAre("data 3 hello", "end 3"));
}

TEST(Http2ServerCodec, AsksForAWebsocketWithAGet) {
  Connection connection;
  EXPECT_THAT(connection.ask(1,
                             {{":method", "CONNECT"},
                              {":protocol", "websocket"},
                              {":scheme", "https"},
                              {":authority", "a"},
                              {":path", "/ws"},
                              {"sec-websocket-version", "13"}},
                             false),
              ElementsAre("request 1"));
  const auto head = connection.codec.take_request(1);
  ASSERT_TRUE(head) << to_string(head.error());
  EXPECT_EQ(head->method, "GET");
  EXPECT_TRUE(head->wants_websocket);
  EXPECT_EQ(head->headers.get("Sec-WebSocket-Key")->size(), 24u);
  ResponseHead opened = response(101);
  opened.headers.append("Sec-WebSocket-Accept", "secret");
  connection.codec.send_head(1, opened);
  connection.codec.send_data(1, std::string_view("frame"));
  const std::string out = connection.sent();
  EXPECT_THAT(out, HasSubstr("frame"));
  EXPECT_EQ(out.find("accept"), std::string::npos);
}

TEST(Http2ServerCodec, RefusesWhatIsAmbiguousAndLetsItBeAnswered) {
  const std::vector<std::pair<Fields, Errc>> cases{
      {request("GET", {{"host", "b"}}), Errc::bad_request},
      {request("TRACE"), Errc::not_implemented},
      {request("GET", {{"expect", "more"}}), Errc::expectation_failed},
      {{{":method", "GET"}, {":scheme", "ftp"}, {":authority", "a"}, {":path", "/"}},
       Errc::bad_request},
      {{{":method", "GET"}, {":scheme", "https"}, {":authority", "u@a"}, {":path", "/"}},
       Errc::bad_request}};
  for (const auto& [fields, code] : cases) {
    Connection connection;
    EXPECT_THAT(connection.ask(1, fields), ElementsAre("request 1", "end 1"));
    const auto head = connection.codec.take_request(1);
    ASSERT_FALSE(head);
    EXPECT_EQ(head.error().code, code) << to_string(head.error());
  }
}

TEST(Http2ServerCodec, ResetsWhatIsMalformed) {
  for (const Fields& more : {Fields{{"connection", "close"}}, Fields{{"X", "y"}},
                             Fields{{"te", "gzip"}}, Fields{{"content-length", "3"}}}) {
    Connection connection;
    const auto events = connection.ask(1, request("GET", more));
    EXPECT_THAT(events, testing::Not(testing::Contains("request 1")));
    EXPECT_THAT(connection.sent(), HasSubstr(frame(reset, 0, 1, number(1, 4))));
  }
}

TEST(Http2ServerCodec, ClosesAStreamWhoseBodyIsMalformedBeforeAnybodyServesIt) {
  const std::string head =
      frame(headers, end_headers, 1, block(request("POST", {{"content-length", "5"}})));
  const std::string trailers = block({{"connection", "x"}});
  for (const std::string& rest :
       {frame(data, end_stream, 1, "hell"), frame(data, 0, 1, "hello!"),
        frame(data, end_stream, 1, "hello!"),
        frame(data, 0, 1, "hell") + frame(data, end_stream, 1, ""),
        frame(data, 0, 1, "hell") + frame(data, 0, 1, "o!"),
        frame(data, 0, 1, "hello") + frame(headers, end_headers | end_stream, 1, trailers)}) {
    Connection connection;
    EXPECT_THAT(connection.receive(head + rest), testing::Contains("closed 1"));
    EXPECT_TRUE(connection.codec.closed(1));
    EXPECT_TRUE(connection.outcome);
    EXPECT_TRUE(connection.codec.has_output());
    EXPECT_THAT(connection.sent(), HasSubstr(frame(reset, 0, 1, "").substr(3)));
    EXPECT_FALSE(connection.codec.has_output());
  }
  Connection connection;
  EXPECT_THAT(connection.receive(head + frame(data, 0, 1, "hell")),
              ElementsAre("request 1", "data 1 hell"));
  EXPECT_THAT(connection.receive(frame(data, end_stream, 1, "o!")), ElementsAre("closed 1"));
}

TEST(Http2ServerCodec, PassesMethodsAsHttp1Does) {
  for (const std::string method : {"FOO", "get", "M-SEARCH", "-BLARGH", "PRIX"}) {
    Connection connection;
    connection.ask(1, request(method));
    const auto head = connection.codec.take_request(1);
    ASSERT_TRUE(head) << to_string(head.error());
    EXPECT_EQ(head->method, method);
  }
  const std::pair<std::string, Errc> refused[] = {{"TRACE", Errc::not_implemented},
                                                  {"trace", Errc::not_implemented},
                                                  {"connect", Errc::not_implemented},
                                                  {"PRI", Errc::bad_request}};
  for (const auto& [method, code] : refused) {
    Connection connection;
    connection.ask(1, request(method));
    const auto head = connection.codec.take_request(1);
    ASSERT_FALSE(head) << method;
    EXPECT_EQ(head.error().code, code) << method;
  }
}

TEST(Http2ServerCodec, LeavesAnEmptyPortOut) {
  Connection connection;
  connection.ask(
      1, {{":method", "GET"}, {":scheme", "https"}, {":authority", "a=b:"}, {":path", "/"}});
  const auto head = connection.codec.take_request(1);
  ASSERT_TRUE(head) << to_string(head.error());
  EXPECT_EQ(head->authority, "a=b");
}

TEST(Http2ServerCodec, RefusesALargeHeadAndEndsWithOneThatIsABomb) {
  Connection connection({.head = {.bytes = 500}});
  const Fields some(8, {"name", std::string(100, 'x')});
  connection.ask(1, request("GET", some));
  EXPECT_EQ(connection.codec.take_request(1).error().code, Errc::head_too_large);
  EXPECT_TRUE(connection.outcome);
  const Fields many(80, {"name", std::string(100, 'x')});
  connection.ask(3, request("GET", many));
  ASSERT_FALSE(connection.outcome);
  EXPECT_EQ(connection.outcome.error().code, Errc::header_flood);
  EXPECT_THAT(connection.sent(), HasSubstr(number(11, 4)));
}

TEST(Http2ServerCodec, OpensAWindowOnlyAsDataAreTaken) {
  Connection connection({.head = {}, .window = 1000});
  connection.ask(1, request("POST"), false);
  connection.receive(frame(data, 0, 1, std::string(1000, 'x')));
  EXPECT_EQ(connection.sent().find(frame(window_update, 0, 1, number(1000, 4))), std::string::npos);
  connection.codec.consume(1, 1000);
  EXPECT_THAT(connection.sent(), HasSubstr(frame(window_update, 0, 1, number(1000, 4))));
}

TEST(Http2ServerCodec, LetsLittleOfABodyInUntilSomebodyTakesIt) {
  Connection connection({.head = {}, .window = 100'000, .first_window = 1000});
  connection.ask(1, request("POST"), false);
  connection.receive(frame(data, 0, 1, std::string(1000, 'x')));
  EXPECT_EQ(connection.sent(), "");
  connection.codec.open_window(1);
  EXPECT_EQ(connection.sent(), frame(window_update, 0, 1, number(99'000, 4)));
}

TEST(Http2ServerCodec, EndsAResponseWithoutABodyByItsHead) {
  Connection connection;
  connection.ask(1, request("GET"));
  connection.codec.send_head(1, response(204));
  connection.codec.send_end(1, {});
  EXPECT_EQ(connection.sent()[4], end_stream | end_headers);
  EXPECT_THAT(connection.happened(), ElementsAre("sent 1", "closed 1"));
}

TEST(Http2ServerCodec, KeepsWhatFlowControlHoldsBackAndSaysWhenItIsWritable) {
  Connection connection;
  connection.ask(1, request("GET"));
  connection.codec.send_head(1, response(200, {BodyKind::chunked, 0}));
  connection.codec.send_data(1, std::string(65'535 + Http2ServerCodec::held_mark, 'x'));
  connection.codec.send_end(1, {});
  connection.sent();
  EXPECT_EQ(connection.codec.sent(1), 65'535u);
  EXPECT_TRUE(connection.codec.above_high_mark(1));
  EXPECT_TRUE(connection.codec.shut(1));
  EXPECT_THAT(connection.happened(), ElementsAre());
  connection.receive(frame(window_update, 0, 0, number(1 << 20, 4)) +
                     frame(window_update, 0, 1, number(Http2ServerCodec::held_mark - 1, 4)));
  connection.sent();
  EXPECT_THAT(connection.happened(), ElementsAre("writable 1"));
}

TEST(Http2ServerCodec, TakesAsMuchAtOnceAsTheClientLetsIn) {
  Connection connection;
  connection.ask(1, request("GET"));
  connection.ask(3, request("GET"));
  for (const StreamId stream : {1, 3})
    connection.codec.send_head(stream, response(200, {BodyKind::chunked, 0}));
  connection.sent();
  // The connection's window of 65,535 octets is for both.
  EXPECT_EQ(connection.codec.room(1), Http2ServerCodec::held_mark + 65'535);
  connection.codec.send_data(1, std::string(40'000, 'x'));
  EXPECT_EQ(connection.codec.room(3), Http2ServerCodec::held_mark + 25'535);
  connection.sent();
  connection.codec.send_data(1, std::string(25'535, 'x'));
  connection.sent();
  EXPECT_EQ(connection.codec.room(1), Http2ServerCodec::held_mark);
  EXPECT_FALSE(connection.codec.above_high_mark(1));
}

TEST(Http2ServerCodec, CountsTheHeadsThatWait) {
  Connection connection;
  connection.ask(1, request("GET"));
  ResponseHead hint = response(103);
  hint.headers.append("link", std::string(1000, 'x'));
  size_t hints = 0;
  for (; !connection.codec.above_high_mark(1) && hints < 1000; ++hints)
    connection.codec.send_head(1, hint);
  EXPECT_THAT(hints * 1100,
              AllOf(Gt(Http2ServerCodec::held_mark), Lt(Http2ServerCodec::high_mark)));
  connection.sent();
  EXPECT_THAT(connection.happened(), ElementsAre("writable 1"));
}

TEST(Http2ServerCodec, TellsAClientWhoseRequestIsNotWantedToTheEnd) {
  Connection connection;
  connection.ask(1, request("POST"), false);
  connection.codec.send_head(1, response(413, {BodyKind::length, 2}));
  connection.codec.send_data(1, std::string_view("no"));
  connection.codec.send_end(1, {});
  connection.codec.refuse_rest(1);
  EXPECT_TRUE(connection.sent().ends_with("no" + frame(reset, 0, 1, number(0, 4))));
}

TEST(Http2ServerCodec, ShowsThatAResponseIsBroken) {
  Connection connection;
  connection.ask(1, request("GET"));
  connection.codec.send_head(1, response(200, {BodyKind::length, 10}));
  connection.codec.send_data(1, std::string_view("first"));
  connection.codec.break_off(1);
  EXPECT_TRUE(connection.sent().ends_with("first" + frame(reset, 0, 1, number(2, 4))));
}

TEST(Http2ServerCodec, CountsResetsForAWhileOnly) {
  Connection connection({.head = {}, .resets = 10});
  StreamId stream = 1;
  const auto reset_some = [&](int count) {
    for (int i = 0; i < count; ++i, stream += 2) {
      connection.receive(frame(headers, end_headers | end_stream, stream, block(request("GET"))) +
                         frame(reset, 0, stream, number(8, 4)));
      connection.codec.release(stream);
    }
  };
  for (int i = 0; i < 5; ++i) {
    reset_some(10);
    EXPECT_TRUE(connection.outcome);
    connection.now += Http2ServerCodec::flood_interval * 2;
  }
  reset_some(11);
  ASSERT_FALSE(connection.outcome);
  EXPECT_EQ(connection.outcome.error().code, Errc::rapid_reset);
}

}  // namespace
}  // namespace usher::protocol
