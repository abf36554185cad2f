#include "proxy/replica_queue.h"

#include <iterator>
#include <string>

#include "net/timer.h"

namespace usher::proxy {

class ReplicaQueue::Waiter final : public PendingAnswer {
 public:
  Waiter(ReplicaQueue& queue, routing::ReplicaGate& gate, std::string replica, Answer answer)
      : queue_(queue),
        gate_(gate),
        replica_(std::move(replica)),
        answer_(std::move(answer)),
        deadline_(queue.loop_, *this) {}

  // `place` is this waiter's own in `among`.
  void start(Waiters& among, Waiters::iterator place, conf::Millis limit) {
    among_ = &among;
    place_ = place;
    deadline_.start(limit);
  }
  void enter() { finish(routing::Place(gate_)); }

 private:
  void cancel() noexcept override {
    leave_line();
    bury();
  }
  void on_deadline() {
    leave_line();
    finish(Error{Errc::replica_busy, Side::usher,
                 replica_ + (refused() ? ": too many wait already" : ": no place became free")});
  }

  bool refused() const { return among_ == &queue_.refused_; }
  // If its turn has come already, the place goes to the next of this queue, or is given back.
  void leave_line() {
    if (!refused()) gate_.give_up(queue_);
  }
  Waiters bury() {
    Waiters self;
    self.splice(self.begin(), *among_, place_);
    return self;
  }
  void finish(Result<routing::Place> result) {
    const Waiters self = bury();
    const Answer answer = std::move(answer_);
    finished();
    answer(std::move(result));
  }

  ReplicaQueue& queue_;
  routing::ReplicaGate& gate_;
  std::string replica_;
  Answer answer_;
  net::Timer<&Waiter::on_deadline> deadline_;
  Waiters* among_ = nullptr;
  Waiters::iterator place_;
};

ReplicaQueue::ReplicaQueue(net::Loop& loop) : loop_(loop) {}

ReplicaQueue::~ReplicaQueue() {
  for (auto& [gate, waiters] : waiting_) {
    while (gate->give_up(*this)) {
    }
  }
}

Pending ReplicaQueue::wait(const routing::Replica& replica, const routing::Upstream& upstream,
                           Answer answer) {
  routing::ReplicaGate& gate = replica.status->gate;
  const bool admitted = gate.wait(*this, upstream.max_connections, upstream.queue);
  Waiters& among = admitted ? waiting_[&gate] : refused_;
  Waiter& waiter = among.emplace_back(*this, gate, replica.id, std::move(answer));
  Pending pending(waiter);
  waiter.start(among, std::prev(among.end()), admitted ? upstream.queue_timeout : conf::Millis(0));
  return pending;
}

void ReplicaQueue::on_turn(routing::ReplicaGate& gate) {
  loop_.post([this, &gate] { serve_next(gate); });
}

void ReplicaQueue::serve_next(routing::ReplicaGate& gate) {
  const auto found = waiting_.find(&gate);
  // Whoever was meant has given up meanwhile.
  if (found == waiting_.end() || found->second.empty()) return gate.leave();
  found->second.front().enter();
}

}  // namespace usher::proxy
