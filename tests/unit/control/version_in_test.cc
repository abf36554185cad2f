#include "control/health_checker.h"

#include <gtest/gtest.h>

namespace usher::control {
namespace {

TEST(VersionIn, IsWhatOpenWebUiSays) {
  EXPECT_EQ(version_in(R"({"version":"0.11.0","deployment_id":""})"), "0.11.0");
  EXPECT_EQ(version_in(R"({"version":"0.12.0-rc.1"})"), "0.12.0-rc.1");
}

TEST(VersionIn, IsNoneForAnythingElse) {
  for (const char* body : {"", "{}", "[]", "null", "\"0.11.0\"", R"({"version":11})",
                           R"({"version":""})", R"({"version":"a b"})", R"({"version":"a\n"})",
                           R"({"version":"a\"b"})", R"({"version":"0.11.0")", "<html>"}) {
    EXPECT_EQ(version_in(body), "") << body;
  }
  EXPECT_EQ(version_in(R"({"version":")" + std::string(65, '1') + "\"}"), "");
}

}  // namespace
}  // namespace usher::control
