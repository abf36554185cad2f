// What nginx says of replicas and of requests to them, and what has no effect.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/nginx/reader.h"

namespace usher::conf {
namespace {

using testing::Contains;
using testing::HasSubstr;

Result<ReadSettings> read(const std::string& location, const std::string& upstream = "") {
  return nginx::read("/nginx.conf",
                     "upstream some { server a:1; " + upstream +
                         " } server { listen 80; client_max_body_size 0; location / { "
                         "proxy_set_header Host $host; " +
                         location + " } }",
                     false, nginx::files_of_the_system());
}

TEST(NginxUpstreams, ASlowStartIsTheUpstreams) {
  const auto made = read("proxy_pass http://some;", "server b:1 slow_start=30s max_fails=3;");
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_EQ(made->settings.upstreams.at(0).slow_start, 30s);
  EXPECT_THAT(made->warnings, Contains(HasSubstr("max_fails: a replica that does not answer")));
  EXPECT_FALSE(read("proxy_pass http://some;", "server b:1 slow_start=soon;"));
}

TEST(NginxUpstreams, AnotherNameOfACertificateIsAnError) {
  const std::string pass = "proxy_pass https://inner:8443; ";
  EXPECT_TRUE(read(pass + "proxy_ssl_name $proxy_host;"));
  EXPECT_TRUE(read(pass + "proxy_ssl_name inner;"));
  for (const char* other : {"outer", "$host"}) {
    const auto refused = read(pass + "proxy_ssl_name " + other + ";");
    ASSERT_FALSE(refused) << other;
    EXPECT_THAT(refused.error().detail, HasSubstr("the name in its address"));
  }
}

TEST(NginxUpstreams, WhatWouldLeaveAPartOfARequestOutIsAnError) {
  for (const char* name : {"proxy_pass_request_headers", "proxy_pass_request_body"}) {
    const std::string pass = std::string("proxy_pass http://some; ") + name;
    EXPECT_TRUE(read(pass + " on;"));
    const auto off = read(pass + " off;");
    ASSERT_FALSE(off) << name;
    EXPECT_THAT(off.error().detail, HasSubstr(std::string(name) + "\" is served as \"on\" only"));
  }
}

TEST(NginxUpstreams, WhatHasNoEffectSaysWhy) {
  const auto made =
      read("proxy_pass http://some; gzip on; gzip_types a/b; gzip_types c/d; proxy_buffering off;",
           "keepalive 8;");
  ASSERT_TRUE(made);
  EXPECT_THAT(made->warnings,
              Contains(testing::StartsWith(
                  "/nginx.conf: without effect here: gzip, gzip_types: what a replica has")));
  EXPECT_THAT(made->warnings, Contains(HasSubstr("here: proxy_buffering: nothing is buffered")));
  EXPECT_THAT(made->warnings, Contains(HasSubstr("here: keepalive: connections")));
}

}  // namespace
}  // namespace usher::conf
