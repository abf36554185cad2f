#include "proxy/descriptor_budget.h"

#include <gtest/gtest.h>

namespace usher::proxy {
namespace {

TEST(DescriptorBudget, LeavesWhatOthersNeedAndASecondOneForEachClient) {
  DescriptorBudget budget;
  budget.set(1024, 224, 2);
  EXPECT_EQ(budget.most_idle_replicas(), 50u) << "an eighth, shared by the workers";
  EXPECT_EQ(budget.most_clients(), 233u) << "two thirds of the rest, two for each";
  for (uint64_t client = 0; client < 233; ++client) {
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
  EXPECT_GT(clients, 200u);
  EXPECT_LT(clients, 230u);
}

TEST(DescriptorBudget, TriesAFewClientsHoweverLowTheLimitIs) {
  DescriptorBudget budget;
  budget.set(20, 100, 4);
  EXPECT_EQ(budget.most_clients(), DescriptorBudget::least / DescriptorBudget::per_client);
  EXPECT_EQ(budget.most_idle_replicas(), 0u);
  EXPECT_TRUE(budget.has_room());
}

TEST(DescriptorBudget, GreedyConnectionsKeepNobodyOut) {
  DescriptorBudget budget;
  budget.set(1000, 200, 1);
  const auto take_all = [&budget] {
    budget.enter();
    uint64_t held = 0;
    while (budget.take_more(held))
      ++held;
    return held;
  };
  const uint64_t first = take_all();
  EXPECT_GT(first, 40u) << "one alone may have many";
  EXPECT_LT(take_all(), first);
  for (int connection = 2; connection < 200; ++connection)
    take_all();
  EXPECT_TRUE(budget.has_room());
}

TEST(DescriptorBudget, IdleClientsTakeNoRequestFromOthers) {
  DescriptorBudget budget;
  budget.set(1000, 200, 1);
  while (budget.has_room())
    budget.enter();
  uint64_t held = 0;
  while (budget.take_more(held))
    ++held;
  EXPECT_GT(held, 40u);
  budget.give_back(held);
  EXPECT_TRUE(budget.take_more(0));
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
