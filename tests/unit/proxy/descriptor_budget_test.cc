#include "proxy/descriptor_budget.h"

#include <gtest/gtest.h>

namespace usher::proxy {
namespace {

TEST(DescriptorBudget, LeavesWhatOthersNeedAndASecondOneForEachClient) {
  DescriptorBudget budget;
  budget.set(1024, 224, 2);
  EXPECT_EQ(budget.most_idle_replicas(), 50u) << "an eighth, shared by the workers";
  EXPECT_EQ(budget.most_clients(), 350u);
  for (uint64_t client = 0; client < 350; ++client) {
    ASSERT_TRUE(budget.has_room());
    budget.enter();
  }
  EXPECT_FALSE(budget.has_room());
  budget.leave();
  EXPECT_TRUE(budget.has_room());
}

TEST(DescriptorBudget, IsTightBeforeItIsFull) {
  DescriptorBudget budget;
  budget.set(1024, 224, 1);
  uint64_t clients = 0;
  for (; !budget.is_tight(); ++clients)
    budget.enter();
  EXPECT_TRUE(budget.has_room());
  EXPECT_GT(clients, 300u);
  EXPECT_LT(clients, 340u);
}

TEST(DescriptorBudget, TriesAFewClientsHoweverLowTheLimitIs) {
  DescriptorBudget budget;
  budget.set(20, 100, 4);
  EXPECT_EQ(budget.most_clients(), DescriptorBudget::least / DescriptorBudget::per_client);
  EXPECT_EQ(budget.most_idle_replicas(), 0u);
  EXPECT_TRUE(budget.has_room());
}

TEST(DescriptorBudget, NoNumberOfGreedyConnectionsTakesAllThereIs) {
  DescriptorBudget budget;
  budget.set(1000, 200, 1);
  uint64_t first = 0;
  uint64_t last = 0;
  for (int connection = 0; connection < 100; ++connection) {
    ASSERT_TRUE(budget.has_room());
    budget.enter();
    uint64_t held = 0;
    while (budget.take_more(held))
      ++held;
    if (connection == 0) first = held;
    last = held;
  }
  EXPECT_GT(first, 70u) << "one alone may have many";
  EXPECT_LT(last, 15u);
  EXPECT_TRUE(budget.has_room());
}

TEST(DescriptorBudget, ChangesWithItsLimit) {
  DescriptorBudget budget;
  budget.set(1000, 200, 1);
  for (int client = 0; client < 100; ++client)
    budget.enter();
  budget.set(300, 200, 1);
  EXPECT_FALSE(budget.has_room()) << "those that are there stay";
  budget.set(2000, 200, 1);
  EXPECT_TRUE(budget.has_room());
}

}  // namespace
}  // namespace usher::proxy
