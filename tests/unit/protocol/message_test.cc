#include "protocol/message.h"

#include <gtest/gtest.h>

namespace usher::protocol {
namespace {

TEST(RequestHead, DividesItsTargetAtTheFirstQuestionMark) {
  RequestHead head;
  for (const auto& [target, path, query] :
       {std::tuple{"/a?b?c", "/a", "b?c"}, std::tuple{"/a", "/a", ""}, std::tuple{"/?", "/", ""},
        std::tuple{"*", "*", ""}, std::tuple{"/a%3Fb", "/a%3Fb", ""}}) {
    head.target = target;
    EXPECT_EQ(head.path(), path);
    EXPECT_EQ(head.query(), query);
  }
}

TEST(ResponseHead, IsInterimBelow200ButNotWhenItSwitches) {
  ResponseHead head;
  for (const auto& [status, interim] :
       {std::pair{100, true}, {101, false}, {103, true}, {199, true}, {200, false}, {404, false}}) {
    head.status = static_cast<uint16_t>(status);
    EXPECT_EQ(head.interim(), interim) << status;
  }
}

TEST(IsIdempotent, KnowsTheMethodsOfRfc9110) {
  for (const auto* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
    EXPECT_TRUE(is_idempotent(method)) << method;
  }
  for (const auto* method : {"POST", "PATCH", "CONNECT", "get", "", "PROPFIND"}) {
    EXPECT_FALSE(is_idempotent(method)) << method;
  }
}

}  // namespace
}  // namespace usher::protocol
