// Which replicas drain, and until when. An order may be given at any node, and all nodes follow it
// within seconds: it is kept in the store, and in the state directory, so that a node follows it
// from its first moment on. The last order wins. While the store is away a node keeps to what it
// knows.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/pending.h"
#include "base/result.h"
#include "control/state_directory.h"
#include "net/loop.h"
#include "net/timer.h"
#include "routing/affinity_store.h"
#include "routing/replica.h"

namespace usher::control {

// What somebody wanted of a replica.
struct DrainOrder {
  bool drain = false;
  WallTime given;
  std::optional<WallTime> until;  // of a drain; none: as long as its clients stay
  friend bool operator==(const DrainOrder&, const DrainOrder&) = default;
};

// In the store an order is a binding of the key "drain:<replica>": its epoch is the time of the
// order in ms, so that the store keeps the last one, and its text "drain:<ms>" (0: no limit) or
// "serve".
routing::Binding to_binding(const DrainOrder& order);
std::optional<DrainOrder> to_order(const routing::Binding& binding);

class DrainKeeper final {
 public:
  struct Listener {
    // Everything that could be learnt before the start is learnt.
    virtual void on_drains_settled() = 0;
    // The limit of a drain comes near: websockets to that replica have `left` to go.
    virtual void on_drain_ends(const std::shared_ptr<routing::ReplicaStatus>& replica,
                               Duration left) = 0;

   protected:
    ~Listener() = default;
  };

  DrainKeeper(net::Loop& loop, const Clock& clock, const StateDirectory& state, const Log& log,
              Listener& listener);

  // `store` may be nullptr: then there is only this node.
  void start(routing::AffinityStore* store);
  bool settled() const;
  // From now on these are the replicas. One that was gone and is back is another one: it does not
  // drain.
  void watch(const std::vector<routing::Upstream>& upstreams);

  // For a replica that is watched. limit = 0: none.
  void drain(const std::string& replica, Duration limit);
  void undrain(const std::string& replica);

 private:
  struct Watch {
    // One for each way to reach it; none: the replica is gone.
    std::vector<std::shared_ptr<routing::ReplicaStatus>> statuses;
    std::string name;  // for people
    std::optional<DrainOrder> order;
    Pending asked;
    MonotonicTime told = MonotonicTime::min();  // when the store last had the order
    bool answered = false;
    bool was_here = false;  // since the start of this process
    bool ending = false;    // the listener knows
  };
  // A replica in the lists of now.
  struct Named {
    std::vector<std::shared_ptr<routing::ReplicaStatus>> statuses;
    std::string name;
  };

  void on_tick();
  void give(const std::string& replica, DrainOrder order);
  void ask(const std::string& replica, Watch& watch);
  void on_answer(const std::string& replica, const Result<std::optional<routing::Binding>>& answer);
  void follow(Watch& watch);
  void end_drains();
  void load();
  void save() const;

  const Clock& clock_;
  const StateDirectory& state_;
  const Log& log_;
  Listener& listener_;
  routing::AffinityStore* store_ = nullptr;
  std::map<std::string, Watch, std::less<>> watches_;
  net::Timer<&DrainKeeper::on_tick> tick_;
  int first_looks_ = 20;
  bool watching_ = false;
};

}  // namespace usher::control
