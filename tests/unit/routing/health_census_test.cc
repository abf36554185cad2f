#include "routing/health_census.h"

#include <gtest/gtest.h>

#include <vector>

namespace usher::routing {
namespace {

struct CensusRow {
  std::vector<Health> replicas;
  uint32_t percent;
  bool panics;
};

TEST(HealthCensus, MoreThanAShareOfThoseThatLiveIsAPanic) {
  constexpr Health up = Health::up, unready = Health::unready, ill = Health::ill,
                   down = Health::down, starting = Health::starting, unknown = Health::unknown;
  const CensusRow rows[] = {
      {{}, 50, false},
      {{up, up}, 50, false},
      {{unready}, 50, true},
      {{unready, up}, 50, false},
      {{unready, unready, up}, 50, true},
      {{unready, ill, up}, 50, true},
      {{unready, up, up}, 50, false},
      {{unready, up, up}, 30, true},
      {{unready, up, up}, 0, true},
      {{unready, unready, unready, up}, 80, false},
      // All of them: nobody would be left, whatever the share.
      {{unready, unready}, 100, true},
      {{unready, down}, 100, true},
      {{ill, starting}, 100, true},
      // Who does not answer, or has not started, has no part in it.
      {{down, down}, 50, false},
      {{starting, starting, up}, 50, false},
      {{unready, down, down, up}, 50, false},
      {{unready, unready, down, up}, 50, true},
      {{unready, unknown, unknown}, 50, false},
  };
  for (const CensusRow& row : rows) {
    HealthCensus census;
    for (const Health health : row.replicas)
      census.count(health);
    EXPECT_EQ(census.panics(row.percent), row.panics) << "row " << &row - rows;
  }
}

}  // namespace
}  // namespace usher::routing
