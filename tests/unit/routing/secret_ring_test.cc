#include "routing/secret_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace usher::routing {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(ASecretRing, UsesASecretOnlyWhenEveryNodeHasHeardOfIt) {
  const SecretRing ring = SecretRing::parse("1200000 new\n600000 old\n0 older\n");
  EXPECT_THAT(ring.in_use(WallTime(1'200'000ms)), ElementsAre("old", "new", "older"));
  EXPECT_THAT(ring.in_use(WallTime(1'799'999ms)), ElementsAre("old", "new", "older"));
  EXPECT_THAT(ring.in_use(WallTime(1'800'000ms)), ElementsAre("new", "old", "older"));
  EXPECT_THAT(ring.in_use(WallTime(1ms)), ElementsAre("older", "new", "old"));
}

TEST(ASecretRing, UsesItsOnlySecretAtOnce) {
  EXPECT_THAT(SecretRing::parse("5000 a\n").in_use(WallTime(5000ms)), ElementsAre("a"));
  EXPECT_THAT(SecretRing("a").in_use(WallTime()), ElementsAre("a"));
  EXPECT_THAT(SecretRing().in_use(WallTime()), IsEmpty());
}

TEST(ASecretRing, IsRenewedByTheRulesWhereThereIsNobodyToAgreeWith) {
  const RingRules rules{.rotate_after = 10s, .keep = 25s, .life = {}, .lead = 2s};
  const auto at = [](Duration time) { return WallTime(1h + time); };
  const auto secrets = [](const SecretRing& ring) {
    std::vector<std::string> all;
    for (const auto& entry : ring.entries())
      all.push_back(entry.secret);
    return all;
  };
  SecretRing ring = SecretRing("a").renewed("b", rules, false, at(0s));
  EXPECT_THAT(secrets(ring), ElementsAre("a"));  // its age begins now
  ring = ring.renewed("b", rules, false, at(9s));
  EXPECT_THAT(secrets(ring), ElementsAre("a"));
  ring = ring.renewed("b", rules, false, at(10s));
  EXPECT_THAT(ring.in_use(at(11s), rules.lead), ElementsAre("a", "b"));
  EXPECT_THAT(ring.in_use(at(12s), rules.lead), ElementsAre("b", "a"));
  ring = ring.renewed("c", rules, true, at(13s));
  EXPECT_THAT(secrets(ring), ElementsAre("c", "b", "a"));
  ring = ring.renewed("d", rules, false, at(36s));
  EXPECT_THAT(secrets(ring), ElementsAre("d", "c", "b"));  // a's successor is 26 s old
  for (int i = 0; i < 20; ++i)
    ring = ring.renewed("x" + std::to_string(i), rules, true, at(36s));
  EXPECT_EQ(ring.entries().size(), SecretRing::most);
  // A clock that was set back does not make a secret last.
  EXPECT_THAT(SecretRing::parse("9000000 a\n").renewed("b", rules, false, at(0s)).entries()[0].made,
              at(0s));
}

TEST(ASecretRing, ReadsWhatItWritesAndLeavesOutTheRest) {
  const SecretRing ring = SecretRing::parse("2 b\n1 a\n");
  EXPECT_EQ(ring.to_text(), "2 b\n1 a\n");
  EXPECT_EQ(SecretRing::parse("x y\n2 b\n\nlonely\n-1 z\n9999999999999999 z\n3 \n1 a\n4 a b"),
            ring);
  EXPECT_TRUE(SecretRing::parse("").empty());
  EXPECT_TRUE(SecretRing::parse("9000000000001 beyond-the-clock").empty());
  std::string much;
  for (int i = 0; i < 20; ++i)
    much += "1 s" + std::to_string(i) + "\n";
  EXPECT_EQ(SecretRing::parse(much).entries().size(), SecretRing::most);
}

}  // namespace
}  // namespace usher::routing
