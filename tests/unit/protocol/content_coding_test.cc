#include "protocol/content_coding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace usher::protocol {
namespace {

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

Headers headers_of(const Fields& fields) {
  Headers headers;
  for (const auto& [name, value] : fields)
    headers.append(name, value);
  return headers;
}

// 2023-11-14T22:13:20Z
const WallTime now = std::chrono::system_clock::from_time_t(1'700'000'000);
constexpr CodingWish willing{.gzip = true};

ResponseHead page(const Fields& more = {}, uint16_t status = 200) {
  ResponseHead head;
  head.status = status;
  head.body = {BodyKind::length, 1000};
  head.headers = headers_of({{"Content-Type", "text/html; charset=utf-8"}});
  for (const auto& [name, value] : more)
    head.headers.append(name, value);
  return head;
}

conf::CompressionSettings of_pages() {
  conf::CompressionSettings settings;
  settings.types = {"text/html", "application/json"};
  return settings;
}

bool compresses(const conf::CompressionSettings& settings, ResponseHead head,
                const CodingWish& wish = willing) {
  return Compression(settings).apply(wish, now, head);
}

TEST(ContentCoding, WhoNamesGzipWithAWeightIsGivenIt) {
  struct Row {
    std::string_view field;
    bool accepted;
  };
  for (const Row& row : {
           Row{"gzip", true},
           Row{"GZIP", true},
           Row{"deflate, gzip, br", true},
           Row{" , gzip ;q=0.5", true},
           Row{"gzip; q=1.000", true},
           Row{"gzip;Q=0.001", true},
           Row{"gzip;q=1.", true},
           Row{"gzip, gzip;q=0", true},
           Row{"identity;q=1, *;q=0, gzip;q=0.1", true},
           Row{"gzip;q=0", false},
           Row{"gzip;q=0, gzip", false},
           Row{"gzip;q=0.000", false},
           Row{"gzip;q=0.", false},
           Row{"gzip;q=0.0001", false},
           Row{"gzip;q=1.001", false},
           Row{"gzip;q=2", false},
           Row{"gzip;q=01", false},
           Row{"gzip;q=", false},
           Row{"gzip;q", false},
           Row{"gzip;", false},
           Row{"gzip;x=1", false},
           Row{"gzip;q=1;q=1", false},
           Row{"gzip;q=.5", false},
           Row{"gzip;q=-1", false},
           Row{"", false},
           Row{"*", false},
           Row{"br, x-gzip, gzipped, not gzip", false},
           Row{"identity", false},
       }) {
    EXPECT_EQ(accepts_gzip(headers_of({{"Accept-Encoding", row.field}})), row.accepted)
        << row.field;
  }
  EXPECT_FALSE(accepts_gzip({}));
  EXPECT_TRUE(accepts_gzip(headers_of({{"accept-encoding", "br"}, {"Accept-Encoding", "gzip"}})));
  EXPECT_FALSE(
      accepts_gzip(headers_of({{"Accept-Encoding", "gzip;q=0"}, {"Accept-Encoding", "gzip"}})));
}

TEST(ContentCoding, AWishIsThatOfTheWholeRequest) {
  RequestHead request;
  request.headers = headers_of({{"Accept-Encoding", "gzip"}, {"Via", "1.1 a"}});
  EXPECT_TRUE(read_coding_wish(request).gzip);
  EXPECT_TRUE(read_coding_wish(request).proxied);
  EXPECT_FALSE(read_coding_wish(request).authorized);
  request.headers.append("Authorization", "Basic eDp5");
  EXPECT_TRUE(read_coding_wish(request).authorized);
  request.minor_version = 0;
  EXPECT_FALSE(read_coding_wish(request).gzip) << "HTTP/1.0 has no way to frame it";
}

TEST(ContentCoding, WhatIsCompressedHasAHeadThatSaysSo) {
  ResponseHead head =
      page({{"ETag", "\"abc\""}, {"Accept-Ranges", "bytes"}, {"Content-Length", "1000"}});
  ASSERT_TRUE(Compression(of_pages()).apply(willing, now, head));
  EXPECT_EQ(head.headers.get("Content-Encoding"), "gzip");
  EXPECT_EQ(head.headers.get("ETag"), "W/\"abc\"");
  EXPECT_EQ(head.headers.get("Vary"), "Accept-Encoding");
  EXPECT_FALSE(head.headers.has("Accept-Ranges"));
  EXPECT_FALSE(head.headers.has("Content-Length"));
  EXPECT_EQ(head.body, (BodyFraming{BodyKind::chunked, 0}));
}

TEST(ContentCoding, TheAnswerToHeadHasTheHeadAndNoBody) {
  ResponseHead head = page();
  head.body = {};
  head.announced_length = 1000;
  ASSERT_TRUE(Compression(of_pages()).apply(willing, now, head));
  EXPECT_EQ(head.body.kind, BodyKind::none);
  EXPECT_FALSE(head.announced_length);
  head = page();
  head.body = {};
  head.announced_length = 19;
  EXPECT_FALSE(Compression(of_pages()).apply(willing, now, head));
  EXPECT_EQ(head.announced_length, 19U);
}

// RFC 9110 section 15.4.5.
TEST(ContentCoding, A304SaysWhatThe200WouldHaveSaid) {
  RequestHead request;
  request.headers = headers_of({{"Accept-Encoding", "gzip"}});
  const auto confirmed = [&](const Fields& more) {
    ResponseHead head;
    head.status = 304;
    head.headers = headers_of(more);
    head.announced_length = 1000;
    EXPECT_FALSE(Compression(of_pages()).apply(read_coding_wish(request), now, head));
    return head;
  };
  ResponseHead head = confirmed({{"ETag", "\"a\""}});
  EXPECT_EQ(head.headers.get("Vary"), "Accept-Encoding");
  EXPECT_EQ(head.headers.get("ETag"), "W/\"a\"");
  EXPECT_FALSE(head.announced_length);
  EXPECT_FALSE(head.headers.has("Content-Encoding"));

  head = confirmed({{"ETag", "\"a\""}, {"Content-Type", "image/png"}});
  EXPECT_FALSE(head.headers.has("Vary")) << "of a type that is not compressed";
  EXPECT_EQ(head.headers.get("ETag"), "\"a\"");
  EXPECT_EQ(head.announced_length, 1000U);

  request.headers.remove("Accept-Encoding");
  head = confirmed({{"ETag", "\"a\""}});
  EXPECT_EQ(head.headers.get("ETag"), "\"a\"") << "the client has what was not compressed";
  EXPECT_EQ(head.headers.get("Vary"), "Accept-Encoding");
}

TEST(ContentCoding, AnETagIsWeakOrNone) {
  struct Row {
    std::string_view tag;
    std::optional<std::string_view> made;
  };
  for (const Row& row :
       {Row{"\"a\"", "W/\"a\""}, Row{"W/\"a\"", "W/\"a\""}, Row{"a", {}}, Row{"", {}}}) {
    ResponseHead head = page({{"ETag", row.tag}});
    ASSERT_TRUE(Compression(of_pages()).apply(willing, now, head));
    EXPECT_EQ(head.headers.get("ETag"), row.made) << row.tag;
  }
}

TEST(ContentCoding, OnlyWhatFitsIsCompressed) {
  EXPECT_TRUE(compresses(of_pages(), page()));
  for (const uint16_t status : {403, 404})
    EXPECT_TRUE(compresses(of_pages(), page({}, status))) << status;
  for (const uint16_t status : {101, 201, 204, 206, 301, 304, 400, 401, 500, 502})
    EXPECT_FALSE(compresses(of_pages(), page({}, status))) << status;
  EXPECT_FALSE(compresses(of_pages(), page({{"Content-Encoding", "br"}})));
  EXPECT_FALSE(compresses(of_pages(), page(), {}));
  ResponseHead short_one = page();
  short_one.body.length = 19;
  EXPECT_FALSE(compresses(of_pages(), std::move(short_one)));
  ResponseHead just_enough = page();
  just_enough.body.length = 20;
  EXPECT_TRUE(compresses(of_pages(), std::move(just_enough)));
  for (const BodyKind unknown : {BodyKind::chunked, BodyKind::until_close}) {
    ResponseHead stream = page();
    stream.body = {unknown, 0};
    EXPECT_TRUE(compresses(of_pages(), std::move(stream)));
  }
}

TEST(ContentCoding, TheTypeIsComparedWithoutParametersAndCase) {
  const auto of_type = [](std::string_view type) {
    ResponseHead head = page();
    head.headers.set("Content-Type", type);
    return head;
  };
  conf::CompressionSettings all;
  all.types = {"*"};
  for (const std::string_view type :
       {"application/json", "Application/JSON", "application/json;x=1", "text/html ; charset=a"}) {
    EXPECT_TRUE(compresses(of_pages(), of_type(type))) << type;
  }
  for (const std::string_view type : {"text/plain", "text/htm", "text/htmlx", "", ";text/html"}) {
    EXPECT_FALSE(compresses(of_pages(), of_type(type))) << type;
    EXPECT_TRUE(compresses(all, of_type(type))) << type;
  }
  ResponseHead untyped = page();
  untyped.headers.remove("Content-Type");
  EXPECT_TRUE(compresses(all, std::move(untyped)));
}

TEST(ContentCoding, AStreamOfEventsPassesAsItIs) {
  conf::CompressionSettings settings;
  settings.types = {"*", "text/event-stream"};
  for (const std::string_view type : {"text/event-stream", "Text/Event-Stream; charset=utf-8"}) {
    ResponseHead head = page();
    head.headers.set("Content-Type", type);
    EXPECT_FALSE(Compression(settings).apply(willing, now, head));
    EXPECT_FALSE(head.headers.has("Vary"));
  }
}

TEST(ContentCoding, VaryIsSaidWhereItDependsOnTheRequest) {
  const auto varies = [](ResponseHead head, const CodingWish& wish, bool vary = true) {
    conf::CompressionSettings settings = of_pages();
    settings.vary = vary;
    Compression(settings).apply(wish, now, head);
    return head.headers.has_token("Vary", "Accept-Encoding");
  };
  EXPECT_TRUE(varies(page(), willing));
  EXPECT_TRUE(varies(page(), {}));
  EXPECT_FALSE(varies(page(), willing, false));
  EXPECT_FALSE(varies(page({}, 500), willing));
  ResponseHead said = page({{"Vary", "Cookie, accept-encoding"}});
  Compression(of_pages()).apply(willing, now, said);
  EXPECT_EQ(said.headers.count("Vary"), 1U);
  ResponseHead other = page({{"Vary", "Cookie"}});
  Compression(of_pages()).apply(willing, now, other);
  EXPECT_EQ(other.headers.count("Vary"), 2U);
}

TEST(ContentCoding, ForAProxyTheResponseMustBeOneOfThoseNamed) {
  constexpr std::string_view past = "Tue, 14 Nov 2023 22:13:19 GMT";
  constexpr std::string_view future = "Tue, 14 Nov 2023 22:13:21 GMT";
  const Fields none;
  struct Row {
    std::vector<std::string> words;
    Fields fields;
    bool compressed;
  };
  for (const Row& row : {
           Row{{}, none, false},
           Row{{"any"}, none, true},
           Row{{"any"}, {{"Expires", future}, {"Cache-Control", "public"}}, true},
           Row{{"expired"}, none, true},
           Row{{"expired"}, {{"Expires", past}}, true},
           Row{{"expired"}, {{"Expires", "Tuesday, 14-Nov-23 22:13:19 GMT"}}, true},
           Row{{"expired"}, {{"Expires", "Tue Nov 14 22:13:19 2023"}}, true},
           Row{{"expired"}, {{"Expires", future}}, false},
           Row{{"expired"}, {{"Expires", "0"}}, false},
           Row{{"expired"}, {{"Expires", "Tue, 14 Nov 2023 22:13:19 GMT, x"}}, false},
           Row{{"expired"}, {{"Cache-Control", "no-cache"}}, false},
           Row{{"no-cache"}, {{"Expires", past}}, false},
           Row{{"no-cache"}, {{"Cache-Control", "max-age=3, No-Cache"}}, true},
           Row{{"no-cache"}, {{"Cache-Control", "no-store"}}, false},
           Row{{"no-cache", "no-store"}, {{"Cache-Control", "no-store"}}, true},
           Row{{"private"}, {{"Cache-Control", "private"}}, true},
           Row{{"private"}, {{"Cache-Control", "private-x"}}, false},
           Row{{"private"}, {{"Expires", past}, {"Cache-Control", "private"}}, false},
           Row{{"no_last_modified"}, none, true},
           Row{{"no_last_modified"}, {{"Last-Modified", past}}, false},
           Row{{"no_last_modified"}, {{"ETag", "\"a\""}}, true},
           Row{{"no_etag"}, {{"ETag", "\"a\""}}, false},
           Row{{"no_etag"}, {{"Last-Modified", past}}, true},
           Row{{"auth"}, none, true},
           Row{{"auth"}, {{"Cache-Control", "public"}}, false},
       }) {
    conf::CompressionSettings settings = of_pages();
    settings.proxied = row.words;
    const CodingWish wish{.gzip = true, .proxied = true};
    const std::string what = row.words.empty() ? "none" : row.words.front();
    const std::string_view field = row.fields.empty() ? "" : row.fields.front().second;
    EXPECT_EQ(compresses(settings, page(row.fields), wish), row.compressed) << what << " " << field;
    EXPECT_TRUE(compresses(settings, page(row.fields))) << "no proxy has it";
  }
  conf::CompressionSettings auth = of_pages();
  auth.proxied = {"auth"};
  EXPECT_TRUE(compresses(auth, page({{"Cache-Control", "public"}}),
                         {.gzip = true, .proxied = true, .authorized = true}));
}

}  // namespace
}  // namespace usher::protocol
