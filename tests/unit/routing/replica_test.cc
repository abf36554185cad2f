#include "routing/replica.h"

#include <gtest/gtest.h>

#include "tests/unit/routing/fleet.h"

namespace usher::routing {
namespace {

TEST(Upstream, FindsAReplicaByItsId) {
  const Fleet fleet(3);
  ASSERT_NE(fleet.upstream.find("r2"), nullptr);
  EXPECT_EQ(fleet.upstream.find("r2")->id, "r2");
  EXPECT_EQ(fleet.upstream.find("r4"), nullptr);
  EXPECT_EQ(fleet.upstream.find(""), nullptr);
}

struct PathRow {
  const char* path;
  bool is_socketio;
};

constexpr PathRow path_rows[] = {
    {"/ws/socket.io/", true},
    {"/ws/socket.io/?EIO=4&transport=polling", true},
    {"/ws/socket.io", true},  // python-engineio adds the slash itself
    {"/ws/socket.io?EIO=4", true},
    {"/socket.io/x", true},
    {"/ws/socket.ios", false},
    {"/ws/", false},
    {"/", false},
    {"", false},
    {"/api?next=/ws/socket.io/", false},
    {"/plain", true},
    {"/plainer", true},
};

TEST(Upstream, KnowsItsSocketIoPathsAsTheTableSays) {
  Fleet fleet(1);
  fleet.upstream.socketio = {"/ws/socket.io/", "/socket.io/", "/plain"};
  for (const PathRow& row : path_rows) {
    EXPECT_EQ(fleet.upstream.is_socketio(row.path), row.is_socketio) << row.path;
  }
}

}  // namespace
}  // namespace usher::routing
