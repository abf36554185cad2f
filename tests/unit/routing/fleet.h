// Replicas, turns and a store to test routing with: no sockets, no clock but the one set by hand.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "routing/affinity_store.h"
#include "routing/memory_store.h"
#include "routing/replica.h"
#include "routing/replica_board.h"

namespace usher::routing {

// "r7". (Not "r" + to_string(7): g++ 12 warns about its own library there.)
inline std::string numbered(std::string_view prefix, size_t number) {
  return std::string(prefix).append(std::to_string(number));
}

// Work for a later turn; turns are run by hand.
class Turns final : public Executor {
 public:
  void later(std::function<void()> work) override { work_.push_back(std::move(work)); }
  void run() {
    while (!work_.empty())
      run_one();
  }
  void run_one() {
    const auto work = std::move(work_.front());
    work_.pop_front();
    work();
  }
  bool empty() const { return work_.empty(); }

 private:
  std::deque<std::function<void()>> work_;
};

// Replicas r1 … rN of one upstream, as one node sees them.
class Fleet {
 public:
  explicit Fleet(size_t count, conf::Balance balance = conf::Balance::least_connections) {
    upstream.name = "open-webui";
    upstream.cookie = "usher";
    upstream.balance = balance;
    for (size_t i = 1; i <= count; ++i)
      add(numbered("r", i));
  }
  // It has passed its probes.
  void add(const std::string& id, uint32_t weight = 1) {
    upstream.replicas.push_back({id, {}, board.status_of(id), weight});
    set_up(id, true);
  }
  void remove(const std::string& id) {
    std::erase_if(upstream.replicas, [&](const Replica& replica) { return replica.id == id; });
  }
  ReplicaStatus& status(const std::string& id) { return *board.status_of(id); }
  const Replica* replica(const std::string& id) const { return upstream.find(id); }
  void set_up(const std::string& id, bool up) {
    status(id).set_health(up ? Health::up : Health::down);
  }

  ManualClock clock;
  ReplicaBoard board{clock};
  Upstream upstream;
};

// A store that answers when told to, and misbehaves when told to. Commands take effect when they
// are sent, and their answers wait for answer().
class SlowStore final : public AffinityStore {
 public:
  explicit SlowStore(MemoryTable& table) : table_(table) {}
  ~SlowStore() override = default;

  Pending find(std::string_view key, Found found) override {
    log.push_back(std::string("find ").append(key));
    if (failing) return wait([found = std::move(found)] { found(failure()); });
    return wait([found = std::move(found), binding = table_.find(key)] { found(binding); });
  }
  Pending claim(std::string_view key, Binding proposal, std::chrono::milliseconds ttl,
                Claimed claimed) override {
    log.push_back(std::string("claim ").append(key).append(" ").append(proposal.replica));
    log.back().append(numbered(" ", proposal.epoch));
    last_ttl = ttl;
    if (failing) return wait([claimed = std::move(claimed)] { claimed(failure()); });
    const bool news = on_moved && proposal.epoch > 1 && table_.find(key) != proposal;
    Binding winner = table_.claim(key, proposal, ttl);
    if (news && winner == proposal) on_moved({std::string(key), winner});
    return wait([claimed = std::move(claimed), winner = std::move(winner)] { claimed(winner); });
  }
  bool available() const override { return up; }

  size_t waiting() const { return waiting_.size(); }
  void answer() {
    while (!waiting_.empty())
      answer_one();
  }
  void answer_one() {
    Answer& answer = waiting_.front();
    if (const auto deliver = std::exchange(answer.deliver, nullptr)) {
      answer.finished();
      deliver();
    }
    waiting_.pop_front();
  }

  bool up = true;                              // what available() says
  bool failing = false;                        // every command ends in an error
  std::function<void(const Moved&)> on_moved;  // a move has been stored, and is announced
  std::vector<std::string> log;
  std::chrono::milliseconds last_ttl{0};

 private:
  struct Answer final : PendingAnswer {
    void cancel() noexcept override { deliver = nullptr; }
    using PendingAnswer::finished;
    std::function<void()> deliver;
  };
  static Error failure() { return {Errc::store_down, Side::store, "as told"}; }
  Pending wait(std::function<void()> deliver) {
    Answer& answer = waiting_.emplace_back();
    answer.deliver = std::move(deliver);
    return Pending(answer);
  }

  MemoryTable& table_;
  std::list<Answer> waiting_;
};

}  // namespace usher::routing
