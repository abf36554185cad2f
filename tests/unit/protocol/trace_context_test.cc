#include "protocol/trace_context.h"

#include <gtest/gtest.h>

namespace usher::protocol {
namespace {

constexpr std::string_view good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Headers with(std::initializer_list<std::string_view> traceparents) {
  Headers headers;
  for (const std::string_view each : traceparents)
    headers.append("Traceparent", each);
  headers.append("tracestate", "vendor=1");
  return headers;
}

TEST(TraceContext, ATraceThatComesIsPassedOnAsItIs) {
  Headers headers = with({good});
  EXPECT_TRUE(continue_trace(headers));
  EXPECT_EQ(headers.get("traceparent"), good);
  EXPECT_EQ(headers.get("tracestate"), "vendor=1");
  EXPECT_EQ(trace_id_of(headers), "0af7651916cd43dd8448eb211c80319c");
}

TEST(TraceContext, ALaterVersionMayHaveMore) {
  Headers headers = with({"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-will-be"});
  EXPECT_TRUE(continue_trace(headers));
}

TEST(TraceContext, WhatCannotBeReadGoesWithItsState) {
  for (const std::string_view bad : {
           "",
           "00",
           "garbage",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",      // no flags
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",  // more than version 00 has
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
           "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",  // upper case
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",  // a version that is none
           "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
       }) {
    Headers headers = with({bad});
    EXPECT_FALSE(continue_trace(headers)) << bad;
    EXPECT_TRUE(headers.empty()) << bad;
    EXPECT_EQ(trace_id_of(headers), "");
  }
}

TEST(TraceContext, TwoTracesAreNone) {
  Headers headers = with({good, good});
  EXPECT_FALSE(continue_trace(headers));
  EXPECT_TRUE(headers.empty());
}

TEST(TraceContext, AStateAloneSaysNothing) {
  Headers headers = with({});
  EXPECT_FALSE(continue_trace(headers));
  EXPECT_TRUE(headers.empty());
}

TEST(TraceContext, OneThatBeginsHereCanBeContinued) {
  Headers headers;
  headers.set("traceparent", make_traceparent({1, 2}, {3}));
  EXPECT_TRUE(continue_trace(headers));
  EXPECT_EQ(headers.get("traceparent"), "00-01020000000000000000000000000000-0300000000000000-01");
}

}  // namespace
}  // namespace usher::protocol
