// What nginx says of compression, as a route's.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/nginx/reader.h"

namespace usher::conf {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<ReadSettings> read(const std::string& in_http, const std::string& in_location = "") {
  return nginx::read("/nginx.conf",
                     "events {} http { " + in_http + " server { listen 80; location / { " +
                         in_location + " return 200 x; } location = /go { return 301 /x; } } }",
                     false, {});
}

CompressionSettings compression_of(const std::string& in_http,
                                   const std::string& in_location = "") {
  const auto made = read(in_http, in_location);
  EXPECT_TRUE(made) << made.error().detail;
  for (const RouteSettings& route : made ? made->settings.routes : std::vector<RouteSettings>{}) {
    if (route.path == "/") return route.compression;
  }
  return {};
}

TEST(NginxGzip, OnAloneHasNginxsDefaults) {
  const CompressionSettings made = compression_of("gzip on;");
  EXPECT_THAT(made.types, ElementsAre("text/html"));
  EXPECT_EQ(made.level, 1U);
  EXPECT_EQ(made.min_length.bytes, 20U);
  EXPECT_FALSE(made.vary);
  EXPECT_THAT(made.proxied, IsEmpty());
}

TEST(NginxGzip, OffIsTheDefaultAndMayBeSaidWithin) {
  const CompressionSettings none;
  EXPECT_EQ(compression_of("gzip_types a/b; gzip_vary on;"), none);
  EXPECT_EQ(compression_of("gzip on; gzip_types a/b;", "gzip off;"), none);
  EXPECT_THAT(compression_of("gzip off;", "gzip on;").types, ElementsAre("text/html"));
}

TEST(NginxGzip, EachDirectiveIsInheritedApart) {
  const std::string outside =
      "gzip on; gzip_comp_level 6; gzip_min_length 1k; gzip_vary on; gzip_proxied any; "
      "gzip_types text/css\n\n  Application/JSON text/css;";
  const CompressionSettings whole = compression_of(outside);
  EXPECT_THAT(whole.types, ElementsAre("text/html", "text/css", "application/json"));
  EXPECT_EQ(whole.level, 6U);
  EXPECT_EQ(whole.min_length.bytes, 1024U);
  EXPECT_TRUE(whole.vary);
  EXPECT_THAT(whole.proxied, ElementsAre("any"));

  const CompressionSettings own = compression_of(
      outside, "gzip_types text/plain; gzip_types image/svg+xml; gzip_proxied expired no-cache;");
  EXPECT_THAT(own.types, ElementsAre("text/html", "text/plain", "image/svg+xml"));
  EXPECT_THAT(own.proxied, ElementsAre("expired", "no-cache"));
  EXPECT_EQ(own.level, 6U);
  EXPECT_THAT(compression_of(outside, "gzip_types a/b *;").types, ElementsAre("*"));
  EXPECT_THAT(compression_of(outside, "gzip_proxied any off;").proxied, IsEmpty());
}

TEST(NginxGzip, ARedirectHasNothingToCompress) {
  const auto made = read("gzip on;");
  ASSERT_TRUE(made) << made.error().detail;
  for (const RouteSettings& route : made->settings.routes) {
    EXPECT_EQ(route.compression.types.empty(), route.path == "/go") << route.path;
  }
}

TEST(NginxGzip, WhatIsNoTypeIsLeftOutWithAWarning) {
  const auto made = read("gzip on; gzip_types text/css nonsense;");
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_THAT(made->warnings, Contains(HasSubstr("\"nonsense\" is no media type: left out")));
  EXPECT_THAT(made->settings.routes.at(0).compression.types, ElementsAre("text/html", "text/css"));
}

TEST(NginxGzip, WhatNginxRefusesIsAnError) {
  struct Row {
    const char* text;
    const char* said;
  };
  for (const Row& row :
       {Row{"gzip yes;", "it must be \"on\" or \"off\""},
        Row{"gzip on; gzip_vary 1;", "it must be \"on\" or \"off\""},
        Row{"gzip on; gzip_comp_level 0;", "value must be between 1 and 9"},
        Row{"gzip on; gzip_comp_level 10;", "value must be between 1 and 9"},
        Row{"gzip on; gzip_min_length some;", "\"gzip_min_length\" directive invalid value"},
        Row{"gzip on; gzip_proxied all;", "invalid value \"all\""},
        Row{"gzip on; gzip_types;", "invalid number of arguments"}}) {
    const auto refused = read(row.text);
    ASSERT_FALSE(refused) << row.text;
    EXPECT_THAT(refused.error().detail, HasSubstr(row.said));
  }
}

TEST(NginxGzip, WhatHasNoEffectSaysWhy) {
  const auto made = read("gzip on; gzip_buffers 16 8k; gzip_http_version 1.1; gunzip on;");
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_THAT(made->warnings,
              Contains(HasSubstr("gzip_buffers, gzip_http_version, gunzip: a client of HTTP/1.1")));
}

}  // namespace
}  // namespace usher::conf
