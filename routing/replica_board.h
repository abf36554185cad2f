// What the process knows of each replica right now. The one thing that all threads share; atomics
// only.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "routing/replica_gate.h"

namespace usher::routing {

// What is known of the process itself. Whether it lives and whether it is ready are two facts: who
// is bound to a replica needs only the first.
enum class Health : uint8_t {
  unknown,   // not looked at yet: serves, so that a start is not delayed
  up,        // lives and is ready
  unready,   // lives, and says that it is not ready
  ill,       // answers, and says that it does not live
  starting,  // lives, and has not been ready since nobody listened there
  down,      // nobody answers there
};

// What follows for those who look for a replica.
enum class ReplicaState : uint8_t {
  unknown,
  up,
  unready,   // serves those bound to it; new clients only when no other is better
  draining,  // serves those bound to it, takes no new clients
  starting,  // serves nobody yet
  down,
};
std::string_view name_of(ReplicaState state);  // unknown is "up"

// Written by the health checker (health and panic), by the API (set_draining), and by workers (the
// counters and failures). Readers may see any recent value.
class ReplicaStatus final {
 public:
  ReplicaState state() const;
  bool serves_bound() const { return state() < ReplicaState::starting; }
  bool takes_new() const;

  Health health() const { return health_.load(std::memory_order_relaxed); }
  void set_health(Health health);
  // The same, unless it is not in `from` any more: a worker may have found it down meanwhile.
  bool change_health(Health from, Health to);
  // Nobody listened there since it was last up: whatever answers is a process that starts.
  bool was_gone() const { return gone_.load(std::memory_order_relaxed); }
  // So many of an upstream's replicas are not ready that none of them is left for it.
  void set_panic(bool panic);
  bool panic() const { return panic_.load(std::memory_order_relaxed); }

  // A drain may have an end: then clients stay no longer, not even those with a websocket.
  void set_draining(bool draining, MonotonicTime until = MonotonicTime::max());
  bool draining() const { return draining_.load(std::memory_order_relaxed); }
  MonotonicTime drain_until() const { return drain_until_.load(std::memory_order_relaxed); }
  // A replica that dropped out of the name's addresses: like draining, but for good until it is
  // back. One that was dead then may be another process now: it begins anew, unknown.
  void set_vanished(bool vanished);

  // A connect was refused or found no host: nobody listens there. Down at once; health checks bring
  // it back. Returns true for the first to notice.
  bool connect_refused();
  // Another way for a connect or a probe to fail. `fall` of them in a row, without a response to a
  // request or a good probe between them, put it down. Returns true for the one that did.
  bool attempt_failed(uint32_t fall);
  // Counts only. True: that makes `fall` of them.
  bool count_failure(uint32_t fall);
  // It closed a connection that was made for this request without a byte of a response. That counts
  // too, but never as the last step down: the request itself may be at fault, and then a client
  // could shoot down one replica after the other. The probe that follows at once decides.
  void broke_off(uint32_t fall);
  // It answered a request, or a probe.
  void answered();

  // Somebody doubts that it is well and wants the control thread to look. True for the first who
  // says so since it last looked.
  bool suspect() { return !suspected_.exchange(true, std::memory_order_relaxed); }
  void looked_at() { suspected_.store(false, std::memory_order_relaxed); }

  // It is new, or back: new clients come slowly from now on (upstream.slow_start).
  void begin_slow_start(MonotonicTime now) { risen_.store(now, std::memory_order_relaxed); }
  // Has it come after the others?
  bool has_joined() const { return risen_.load(std::memory_order_relaxed) != MonotonicTime::min(); }
  // Clients move to it one after the other, one in each `pause`; whoever looks only now and then
  // may make up for as much as `burst`. True: it is one's turn, and taken.
  bool may_receive(MonotonicTime now) const {
    return now >= next_move_.load(std::memory_order_relaxed);
  }
  bool receive(MonotonicTime now, MonotonicTime::duration pause,
               MonotonicTime::duration burst = MonotonicTime::duration(0));
  // What part of its weight counts at `now`: rises from a tenth to 1 in `slow_start`.
  double readiness(MonotonicTime now, Duration slow_start) const;

  // Books the next of a row of moments that lie `spacing` apart, and says how long that is from
  // now: so that all workers together do not bring more websockets here than it can take.
  Duration book_move(MonotonicTime now, MonotonicTime::duration spacing);

  // Whoever comes when there is a limit passes here.
  ReplicaGate gate;

  // How often it has stopped being a home: went down, or began to drain. Whoever was bound to it
  // before may have been moved meanwhile.
  uint32_t absences() const { return absences_.load(std::memory_order_relaxed); }

  // Nothing is under way there, and no client is known to live there.
  bool counts_nothing() const;

  std::atomic<uint32_t> in_flight{0};
  std::atomic<uint32_t> websockets{0};
  std::atomic<uint64_t> websockets_moved{0};  // from here: another replica has carried them on
  std::atomic<uint64_t> sessions{0};          // clients whose home it is, as this node remembers
  std::atomic<uint64_t> requests{0};
  std::atomic<uint32_t> coming{0}, going{0};  // clients: see Transfer

 private:
  void note_absence(Health before, Health after);
  bool go_down();

  std::atomic<Health> health_{Health::unknown};
  std::atomic<bool> gone_{false};
  std::atomic<bool> panic_{false};
  std::atomic<bool> draining_{false};
  std::atomic<MonotonicTime> drain_until_{MonotonicTime::max()};
  std::atomic<bool> vanished_{false};
  std::atomic<MonotonicTime> risen_{MonotonicTime::min()};
  std::atomic<MonotonicTime> next_move_{MonotonicTime::min()};
  std::atomic<bool> suspected_{false};
  std::atomic<uint32_t> failures_{0};
  std::atomic<uint32_t> absences_{0};
  std::atomic<MonotonicTime> next_websocket_{MonotonicTime::min()};
};

// A client is on its way from one replica to another, while this lives: so that all workers
// together do not send more than a newcomer lacks.
class Transfer final {
 public:
  Transfer(ReplicaStatus& from, ReplicaStatus& to) : from_(from), to_(to) {
    ++from_.going;
    ++to_.coming;
  }
  ~Transfer() {
    --from_.going;
    --to_.coming;
  }
  const ReplicaStatus& to() const { return to_; }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

 private:
  ReplicaStatus& from_;
  ReplicaStatus& to_;
};

// The statuses of all replicas that are in use, or were lately.
class ReplicaBoard final {
 public:
  // A status that nobody has held for so long, and that counts nothing, is forgotten.
  static constexpr Duration kept_unused = std::chrono::hours(1);

  explicit ReplicaBoard(const Clock& clock);

  // Of the replica with that id, reached by that channel: what besides the address makes a
  // connection what it is, such as the name that is verified. Made if need be.
  std::shared_ptr<ReplicaStatus> status_of(std::string_view id, std::string_view channel = {});
  size_t size() const;

 private:
  struct Entry {
    std::shared_ptr<ReplicaStatus> status;
    MonotonicTime asked;  // when it was last asked for
  };

  void forget_unused(MonotonicTime now);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Entry> entries_;  // by id and channel
};

}  // namespace usher::routing
