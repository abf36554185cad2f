// One worker's requests that wait for a place at a full replica: in order, each for a limited time.
// The order holds over all workers, because the gates keep it.
#pragma once

#include <functional>
#include <list>
#include <unordered_map>

#include "base/pending.h"
#include "base/result.h"
#include "net/loop.h"
#include "routing/replica.h"
#include "routing/replica_gate.h"

namespace usher::proxy {

class ReplicaQueue final : private routing::ReplicaGate::Line {
 public:
  using Answer = std::function<void(Result<routing::Place>)>;

  explicit ReplicaQueue(net::Loop& loop);
  // When the loop runs no more.
  ~ReplicaQueue();
  ReplicaQueue(const ReplicaQueue&) = delete;
  ReplicaQueue& operator=(const ReplicaQueue&) = delete;

  // Answers in a later turn: with a place, or with replica_busy when too many wait already or
  // upstream.queue_timeout is over.
  Pending wait(const routing::Replica& replica, const routing::Upstream& upstream, Answer answer);

 private:
  class Waiter;
  using Waiters = std::list<Waiter>;

  void on_turn(routing::ReplicaGate& gate) override;
  void serve_next(routing::ReplicaGate& gate);

  net::Loop& loop_;
  Waiters refused_;  // not in the gate's line: they only wait to be told
  std::unordered_map<routing::ReplicaGate*, Waiters> waiting_;
};

}  // namespace usher::proxy
