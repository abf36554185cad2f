#include "routing/redis/redis_store.h"

#include <gtest/gtest.h>

namespace usher::routing::redis {
namespace {

struct ValueRow {
  std::string value;
  std::optional<Binding> binding;
};

TEST(ParseBinding, TakesWhatTheScriptTakesAndNothingElse) {
  const ValueRow rows[] = {
      {"1 10.0.0.1:8080", Binding{"10.0.0.1:8080", 1}},
      {"999999999999999 r", Binding{"r", 999'999'999'999'999}},
      {"007 r", Binding{"r", 7}},
      {"2 unix:/run/a b.sock", Binding{"unix:/run/a b.sock", 2}},
      {"1 " + std::string(298, 'r'), Binding{std::string(298, 'r'), 1}},
      {"", {}},
      {"1", {}},
      {"1 ", {}},
      {" r", {}},
      {"r 1", {}},
      {"0 r", {}},
      {"-1 r", {}},
      {"+1 r", {}},
      {"1x r", {}},
      {"1\tr", {}},
      {"1000000000000000 r", {}},
      {"99999999999999999999 r", {}},
      {"1 " + std::string(299, 'r'), {}},
  };
  for (const ValueRow& row : rows)
    EXPECT_EQ(parse_binding(row.value), row.binding) << row.value;
}

}  // namespace
}  // namespace usher::routing::redis
