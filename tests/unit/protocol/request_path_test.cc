#include "protocol/request_path.h"

#include <gtest/gtest.h>

namespace usher::protocol {
namespace {

TEST(RequestPath, IsDecodedOnceMergedAndResolved) {
  const std::pair<const char*, const char*> rows[] = {
      {"/", "/"},
      {"/a/b", "/a/b"},
      {"/a/", "/a/"},
      {"//a///b//", "/a/b/"},
      {"/a/./b/.", "/a/b/"},
      {"/a/../b", "/b"},
      {"/a/b/..", "/a/"},
      {"/../../a", "/a"},
      {"/..", "/"},
      {"/%61%2Fb", "/a/b"},
      {"/%252e%252e/a", "/%2e%2e/a"},
      {"/%2e%2E/a", "/a"},
      {"/%", "/%"},
      {"/%4", "/%4"},
      {"/%zz", "/%zz"},
      {"/a.b/.c", "/a.b/.c"},
      {"", "/"},
  };
  for (const auto& [path, expected] : rows)
    EXPECT_EQ(normalise_path(path), expected) << path;
}

TEST(RequestPath, IsStrictWhereItCanBeReadInOneWayOnly) {
  for (const char* path : {"/", "/a/../b", "/a/./../b", "/a//../b/", "/a/b/../..", "/%61", "/a%2e",
                           "/a/%2E%2e/b", "/...", "/a/..b/../..", "/%25zz", "/%2f", "/%01"})
    EXPECT_TRUE(is_strict(path)) << path;
  for (const char* path :
       {"/..", "/../", "/a/../..", "/a/../../b", "//..", "/./..", "/%2e%2e", "/.%2E/a",
        "/a%2f..%2f..", "/%", "/a%4", "/a%zz", "/%g0", "/%00", "/a%00b", "/a/%2%35"})
    EXPECT_FALSE(is_strict(path)) << path;
}

TEST(RequestPath, NeedsNoWorkWhereNothingWouldChange) {
  for (const char* path : {"/", "/api/v1/chats", "/a.b", "/a/b.c/"}) {
    EXPECT_FALSE(needs_normalising(path)) << path;
    EXPECT_EQ(normalise_path(path), path);
  }
  for (const char* path : {"//", "/./a", "/.well-known", "/%20", "/a/.."})
    EXPECT_TRUE(needs_normalising(path)) << path;
}

TEST(RequestPath, IsEscapedForARequestLine) {
  EXPECT_EQ(escape_query("a=%20&b=c d?#\r\n\x7f"), "a=%20&b=c%20d?%23%0D%0A%7F");
  EXPECT_EQ(escape_path("/a b%?#\r\n\x7f\xc3\xa9"), "/a%20b%25%3F%23%0D%0A%7F%C3%A9");
  EXPECT_EQ(escape_path("\"<>\\^`{|}"), "%22%3C%3E%5C%5E%60%7B%7C%7D");
  EXPECT_EQ(escape_path("/..;a=b,c:d@e!$&'()*+~[]-._"), "/..;a=b,c:d@e!$&'()*+~[]-._");
}

}  // namespace
}  // namespace usher::protocol
