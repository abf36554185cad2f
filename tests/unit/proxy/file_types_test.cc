#include "proxy/file_types.h"

#include <gtest/gtest.h>

namespace usher::proxy {
namespace {

TEST(FileTypes, AreToldByTheEnding) {
  const FileTypes types({{"own", {"text/x-own own OWN2", "a/b twice", "c/d twice"}}, {"none", {}}});
  EXPECT_EQ(types.type_of("", "/a/page.html"), "text/html");
  EXPECT_EQ(types.type_of("", "/a/PAGE.HTML"), "text/html");
  EXPECT_EQ(types.type_of("", "/a/app.min.js"), "text/javascript");
  for (const char* path : {"/a/page", "/a.html/page", "/", "", "/a/.html", "/page.", "/page.own"})
    EXPECT_EQ(types.type_of("", path), "") << path;
  EXPECT_EQ(types.type_of("own", "/a/x.own"), "text/x-own");
  EXPECT_EQ(types.type_of("own", "/a/x.own2"), "text/x-own");
  EXPECT_EQ(types.type_of("own", "/a/x.twice"), "c/d");
  EXPECT_EQ(types.type_of("own", "/a/page.html"), "");
  EXPECT_EQ(types.type_of("none", "/a/page.html"), "");
}

}  // namespace
}  // namespace usher::proxy
