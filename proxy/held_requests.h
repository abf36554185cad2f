// One worker's requests that wait because no replica is up. When one is, they go on in the order in
// which they came, no faster than it can take them.
#pragma once

#include <functional>
#include <list>
#include <string>

#include "base/pending.h"
#include "net/loop.h"
#include "proxy/counters.h"
#include "proxy/snapshot.h"

namespace usher::proxy {

class HeldRequests final {
 public:
  // Each holds the head of its request, at most limits.head.
  static constexpr size_t most = 1000;

  // `up`: there is a replica, and it is worth looking for a home again. Else the limit is over.
  using Answer = std::function<void(bool up)>;

  HeldRequests(net::Loop& loop, Counter& held);
  ~HeldRequests();
  HeldRequests(const HeldRequests&) = delete;
  HeldRequests& operator=(const HeldRequests&) = delete;

  bool full() const { return waiting_.size() >= most; }
  // Answers in a later turn. Not when full().
  Pending wait(const routing::Upstream& upstream, Answer answer);
  // Lets go whoever may go on by now; `share` is what part of a second's moves
  // (upstream.migrate_rate) that may be.
  void look(const Snapshot& snapshot, double share);

 private:
  class Waiter;
  using Waiters = std::list<Waiter>;

  net::Loop& loop_;
  Counter& held_;
  Waiters waiting_;
  Waiters going_;  // their turn has come
};

}  // namespace usher::proxy
