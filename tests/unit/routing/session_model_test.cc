// Three nodes, one store, and everything that can go wrong, at random: replicas die and return on
// each node at its own time, the store fails and comes back, loses all it had, answers and
// announcements are late or lost. Afterwards every client must have one home, and the same on every
// node; and the store a record of those that have moved, and of nobody else.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "tests/unit/routing/node.h"

namespace usher::routing {
namespace {

using namespace std::chrono_literals;

constexpr size_t node_count = 3;
constexpr size_t replica_count = 4;
constexpr size_t client_count = 12;

class Model final {
 public:
  explicit Model(uint32_t seed) : random_(seed) {
    for (auto& node : nodes_)
      node = std::make_unique<Node>(table_, clock_, replica_count);
    for (const auto& node : nodes_) {
      node->store.on_moved = [this](const Moved& moved) {
        for (auto& heard : announced_)
          heard.push_back(moved);
      };
    }
    for (std::string& cookie : cookies_) {
      nodes_[0]->ask({});
      cookie = nodes_[0]->seal(*nodes_[0]->home);
    }
  }

  void step() {
    if (below(100) == 0) return clock_.advance(25h);  // the store has lost everything
    switch (below(14)) {
      case 0: return set_replica(one_of(nodes_), below(replica_count), below(3) > 0);
      case 1: return one_replica_everywhere();
      case 2: return toggle_store(one_of(nodes_));
      case 3: return clock_.advance(std::chrono::seconds(below(40)));
      case 4:
      case 5: return one_of(nodes_).store.answer();
      case 6: return hear(below(node_count));
      case 7: return miss(below(node_count));
      default: return restless_request();
    }
  }

  // Everybody sees the same replicas again and reaches the store; what waits is answered.
  void settle() {
    std::array<bool, replica_count> up{};
    for (bool& replica_up : up)
      replica_up = below(2) == 0;
    up[below(replica_count)] = true;
    for (const auto& node : nodes_) {
      for (size_t replica = 0; replica < replica_count; ++replica) {
        set_replica(*node, replica, up[replica]);
      }
      node->store.failing = false;
      node->store.up = true;
      node->store.answer();
    }
    for (size_t node = 0; node < node_count; ++node)
      hear(node);
    clock_.advance(61s);
    // Each client visits every node twice, as a browser that reconnects does.
    for (int round = 0; round < 2; ++round) {
      for (size_t client = 0; client < client_count; ++client) {
        for (const auto& node : nodes_) {
          request(*node, client, nullptr);
          node->store.answer();
        }
      }
    }
  }

  void expect_one_home_each() {
    for (size_t client = 0; client < client_count; ++client) {
      const CookieContent content = *nodes_[0]->cookies.open(cookies_[client]);
      const auto stored = table_.find(std::string("client:").append(content.client));
      ASSERT_EQ(stored.has_value(), content.epoch > 1);
      for (const auto& node : nodes_) {
        node->ask(node->by_cookie(cookies_[client]));
        ASSERT_TRUE(node->answered_at_once);
        EXPECT_EQ(node->home->binding.epoch, content.epoch);
        EXPECT_TRUE(node->cookies.names(content, node->home->replica->id));
        EXPECT_EQ(node->home->binding.replica, node->home->replica->id);
        if (stored) {
          EXPECT_EQ(node->home->binding, *stored);
        }
        EXPECT_TRUE(node->home->replica->status->serves_bound());
        EXPECT_FALSE(node->home->set_cookie);
        EXPECT_EQ(node->home->outcome, AffinityOutcome::cookie);
      }
    }
  }

  size_t answers() const { return answers_; }

 private:
  // A request whose answer may come after the client's next request, or never, if the client
  // leaves.
  struct Request {
    Pending pending;
  };

  size_t below(size_t count) {
    return std::uniform_int_distribution<size_t>(0, count - 1)(random_);
  }
  Node& one_of(const std::array<std::unique_ptr<Node>, node_count>& nodes) {
    return *nodes[below(node_count)];
  }

  void set_replica(Node& node, size_t replica, bool up) {
    node.fleet.set_up(numbered("r", replica + 1), up);
  }
  void one_replica_everywhere() {
    const size_t replica = below(replica_count);
    const bool up = below(2) == 0;
    for (const auto& node : nodes_)
      set_replica(*node, replica, up);
  }
  // Down and known to be; failing unnoticed; or well again.
  void toggle_store(Node& node) {
    const size_t kind = below(3);
    node.store.up = kind != 0;
    node.store.failing = kind != 2;
  }

  // As Server and Worker do.
  void hear(size_t node) {
    const std::vector<Moved> heard = std::exchange(announced_[node], {});
    for (const Moved& moved : heard)
      nodes_[node]->node_bindings.learn(moved);
    nodes_[node]->directory.learn(heard);
  }
  void miss(size_t node) {
    announced_[node].clear();
    nodes_[node]->node_bindings.doubt();
    nodes_[node]->directory.doubt();
  }

  void restless_request() {
    Node& node = one_of(nodes_);
    const Replica& any = node.fleet.upstream.replicas[below(replica_count)];
    request(node, below(client_count), below(10) == 0 ? &any : nullptr);
  }

  void request(Node& node, size_t client, const Replica* avoid) {
    const SessionClaim claim = node.by_cookie(cookies_[client]);
    if (const auto home =
            node.directory.find_now(claim, node.fleet.upstream, node.cookies, avoid)) {
      return take(client, node, *home);
    }
    // Whose place it takes has left before the answer came.
    requests_[below(requests_.size())] =
        node.directory.find(claim, node.fleet.upstream, node.cookies, avoid,
                            [this, client, &node](Home home) { take(client, node, home); });
  }

  void take(size_t client, Node& node, const Home& home) {
    ++answers_;
    if (home.replica) {
      EXPECT_EQ(node.fleet.upstream.find(home.replica->id), home.replica);
    }
    if (home.set_cookie) cookies_[client] = node.seal(home);
  }

  std::minstd_rand random_;
  ManualClock clock_;
  MemoryTable table_{clock_};
  std::array<std::unique_ptr<Node>, node_count> nodes_;
  std::array<std::vector<Moved>, node_count> announced_;
  std::array<std::string, client_count> cookies_;
  std::array<Pending, 8> requests_;
  size_t answers_ = 0;
};

TEST(ThreeNodes, GiveEachClientOneHomeWhateverHasHappened) {
  size_t answers = 0;
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Model model(seed);
    for (int round = 0; round < 3; ++round) {
      for (int step = 0; step < 150; ++step)
        model.step();
      model.settle();
      model.expect_one_home_each();
      if (testing::Test::HasFailure()) return;
    }
    answers += model.answers();
  }
  RecordProperty("answers", static_cast<int>(answers));
}

}  // namespace
}  // namespace usher::routing
