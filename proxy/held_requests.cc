#include "proxy/held_requests.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "net/timer.h"

namespace usher::proxy {

class HeldRequests::Waiter final : public PendingAnswer {
 public:
  Waiter(HeldRequests& held, std::string upstream, Answer answer)
      : held_(held),
        upstream_(std::move(upstream)),
        answer_(std::move(answer)),
        deadline_(held.loop_, *this) {
    held_.held_.add();
  }
  ~Waiter() override { held_.held_.subtract(); }

  void start(Waiters::iterator place, conf::Millis limit) {
    place_ = place;
    deadline_.start(limit);
  }
  void go() {
    held_.going_.splice(held_.going_.end(), *among_, place_);
    among_ = &held_.going_;
  }
  const std::string& upstream() const { return upstream_; }
  void finish(bool up) {
    const Waiters self = bury();
    const Answer answer = std::move(answer_);
    finished();
    answer(up);
  }

 private:
  void cancel() noexcept override { bury(); }
  void on_deadline() { finish(false); }
  Waiters bury() {
    Waiters self;
    self.splice(self.begin(), *among_, place_);
    return self;
  }

  HeldRequests& held_;
  std::string upstream_;
  Answer answer_;
  net::Timer<&Waiter::on_deadline> deadline_;
  Waiters* among_ = &held_.waiting_;
  Waiters::iterator place_;
};

HeldRequests::HeldRequests(net::Loop& loop, Counter& held) : loop_(loop), held_(held) {}

HeldRequests::~HeldRequests() = default;

Pending HeldRequests::wait(const routing::Upstream& upstream, Answer answer) {
  Waiter& waiter = waiting_.emplace_back(*this, upstream.name, std::move(answer));
  Pending pending(waiter);
  waiter.start(std::prev(waiting_.end()), upstream.hold);
  return pending;
}

void HeldRequests::look(const Snapshot& snapshot, double share) {
  if (waiting_.empty()) return;
  std::unordered_map<std::string_view, uint64_t> turns;
  for (const routing::Upstream& upstream : snapshot.upstreams) {
    const auto up = static_cast<uint64_t>(std::ranges::count_if(
        upstream.replicas,
        [](const routing::Replica& replica) { return replica.status->serves_bound(); }));
    const double each = upstream.migrate_rate * share;
    turns[upstream.name] = up * std::max<uint64_t>(1, static_cast<uint64_t>(each));
  }
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    Waiter& waiter = *next++;
    const auto turn = turns.find(waiter.upstream());
    // An upstream that is gone is for its request to find out.
    if (turn != turns.end() && turn->second == 0) continue;
    if (turn != turns.end()) --turn->second;
    waiter.go();
  }
  // One that goes on may end others, and may wait again.
  while (!going_.empty())
    going_.front().finish(true);
}

}  // namespace usher::proxy
