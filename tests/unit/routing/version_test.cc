#include "routing/version.h"

#include <gtest/gtest.h>

#include <iterator>

namespace usher::routing {
namespace {

TEST(Version, HasTheOrderThatPeopleExpect) {
  constexpr const char* rising[] = {"",
                                    "0.0.1",
                                    "0.9.9",
                                    "0.10.0-dev",
                                    "0.10.0",
                                    "0.10.1",
                                    "0.11.0-rc1",
                                    "0.11.0-rc2",
                                    "0.11.0",
                                    "1",
                                    "1.0.1",
                                    "2026.11.21",
                                    "99999999999999999999999.1"};
  for (size_t i = 0; i < std::size(rising); ++i) {
    for (size_t j = 0; j < std::size(rising); ++j) {
      EXPECT_EQ(compare_versions(rising[i], rising[j]), i <=> j)
          << '"' << rising[i] << "\" and \"" << rising[j] << '"';
    }
  }
}

TEST(Version, IsTheSameHoweverItIsWritten) {
  for (const auto& [a, b] : {std::pair("1", "1.0"), std::pair("v0.11.0", "0.11.0"),
                             std::pair("0.11.0+cuda", "0.11.0"), std::pair("0.011.0", "0.11")}) {
    EXPECT_EQ(compare_versions(a, b), std::weak_ordering::equivalent) << a << " and " << b;
  }
}

}  // namespace
}  // namespace usher::routing
