// One loop and all that it serves: listeners, client connections, pools, placement and the session
// directory. Shares nothing with other workers but the replica board and immutable snapshots.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "base/random.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/timer.h"
#include "proxy/access_log.h"
#include "proxy/client_connection.h"
#include "proxy/connection_limit.h"
#include "proxy/counters.h"
#include "proxy/crowds.h"
#include "proxy/descriptor_budget.h"
#include "proxy/drain_schedule.h"
#include "proxy/flooders.h"
#include "proxy/held_requests.h"
#include "proxy/home_check.h"
#include "proxy/idle_connections.h"
#include "proxy/password_checker.h"
#include "proxy/replica_pool.h"
#include "proxy/replica_queue.h"
#include "proxy/retry_budget.h"
#include "proxy/route_counters.h"
#include "proxy/snapshot.h"
#include "proxy/stub_status.h"
#include "proxy/tunnel.h"
#include "routing/affinity_cookie.h"
#include "routing/live_sessions.h"
#include "routing/node_sids.h"
#include "routing/placement.h"
#include "routing/session_directory.h"
#include "routing/store.h"
#include "routing/unknown_keys.h"

namespace usher::proxy {

class Worker;

// What the process lends to its workers. Outlives them; safe for any thread.
struct Shared {
  const Clock& clock;
  const Log& log;
  std::atomic<uint64_t>& connections;  // accepted so far
  ConnectionLimit& connection_limit;
  DescriptorBudget& descriptors;
  Crowds& crowds;
  PasswordFailures& password_failures;
  routing::LiveSessions& live_sessions;
  routing::NodeSids& node_sids;
  routing::NodeBindings& node_bindings;
  routing::UnknownKeys& unknown_keys;
  routing::MakeMac make_mac;
  LogThrottle& throttle;
  // The replica of this id gave reason to doubt it: the control thread looks at it soon.
  std::function<void(const std::string& replica_id)> look_at;
  // This client lives at that replica now, and has websockets elsewhere: they follow, whichever
  // worker carries them.
  std::function<void(const std::string& client, const std::string& replica_id)> bring_home;
  // Of all workers.
  std::function<StubStatus()> stub_status;
  // The connection that has been idle for longest is to be closed, whichever worker has it.
  std::function<void(Worker& asker)> make_room;
  // A descriptor was refused: there are fewer than was thought.
  std::function<void()> out_of_descriptors;
};

// Why a worker drains.
enum class Departure : uint8_t {
  stopping,     // nobody may come after it: it accepts until close_doors()
  handing_over  // another process accepts at the same sockets, and nobody is in a hurry
};

class Worker final {
 public:
  using MakeStore = std::function<std::unique_ptr<routing::Store>(net::Loop&)>;

  Worker(const Shared& shared, std::shared_ptr<const Snapshot> snapshot,
         const MakeStore& make_store);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // On the worker's own thread; returns after stop().
  void run();

  // From any thread; before run() too.
  void listen(std::vector<Fd> fds, std::shared_ptr<const ListenerRole> role);
  // Accepts what has come until now, then no more. What came in by it stays.
  void stop_listening(std::shared_ptr<const ListenerRole> role);
  void use(std::shared_ptr<const Snapshot> snapshot);
  // Other nodes have moved these sessions; or may have moved any.
  void learn(std::shared_ptr<const std::vector<routing::Moved>> moved);
  void doubt_bindings();
  // A client's home is this replica now: its websockets to others are told to go, and it comes back
  // by itself. All of its traffic has one home.
  void bring_home(std::string client, std::string replica_id);
  // Lets all that there is finish; what comes meanwhile is served, and each connection told that it
  // brings no more. By the end of the schedule all is over. A second call sets another schedule.
  void drain(const DrainSchedule& schedule, Departure departure);
  // While it drains: accepts what has come until now, then no more.
  void close_doors();
  // It has closed its doors: its connections only become fewer.
  bool has_left() const { return left_.load(std::memory_order_acquire); }
  // Lets the websockets to a draining replica go, spread over the last third of the limit.
  void part_from(std::shared_ptr<const routing::ReplicaStatus> replica,
                 std::chrono::milliseconds limit);
  void stop() { loop_.stop(); }
  // Since when its oldest idle connection has been so; IdleClients::nobody: it has none.
  MonotonicTime idle_since() const { return idle_.oldest(); }
  size_t idle_count() const { return idle_.count(); }
  // Closes an idle connection soon.
  void order_room();
  const WorkerCounters& counters() const { return counters_; }
  const RouteTraffic& route_traffic() const { return route_traffic_; }

  // For the connections, on the worker's thread.
  net::Loop& loop() { return loop_; }
  const Shared& shared() const { return shared_; }
  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  ReplicaPool& pool() { return pool_; }
  ReplicaQueue& queue() { return queue_; }
  HeldRequests& held() { return held_; }
  PasswordChecker& passwords() { return passwords_; }
  RetryBudget& retry_budget(const routing::Upstream& upstream);
  routing::SessionDirectory& sessions() { return *sessions_; }
  routing::ChallengeStore& challenges() { return *store_; }
  const routing::AffinityCookies& cookies() const { return *cookies_.back(); }
  WorkerCounters& count() { return counters_; }
  RouteCounters& count(const routing::Route& route) { return route_traffic_.of(route); }
  Jitter& jitter() { return jitter_; }
  RefusalBudget& refusals() { return refusals_; }
  IdleClients& idle() { return idle_; }
  // Closes the idle connection that is missed least.
  void close_idle();
  // Connections whose handshake is under way, the oldest first.
  std::list<ClientConnection*>& handshakes() { return handshakes_; }
  bool draining() const { return drain_.has_value(); }
  Flooders& flooders() { return flooders_; }
  // The other connections of its network have done more good than this one's flood did harm. That
  // is spent if they have.
  bool make_good(const ClientConnection& flooder) const;
  // It leads to a replica that its client has left.
  void part_with_moved(Websocket& websocket);
  // It may: this worker does not know where its client lives by now.
  void check_home(const Websocket& websocket);
  // The connection is closed: takes it off the table and buries it.
  void remove(ClientConnection& connection);
  // Every open websocket of this worker, whatever connection it came on.
  void add(Websocket& websocket);
  void remove(Websocket& websocket);

 private:
  struct Door {
    std::shared_ptr<const ListenerRole> role;
    std::unique_ptr<net::Listener> listener;
  };

  bool has_room();
  void make_room();
  void on_resting(const Error& why);
  void accept(Fd fd, const SocketAddress& peer, const std::shared_ptr<const ListenerRole>& role);
  void on_drain_tick();
  void leave();
  void on_parting_tick();
  void adopt(std::shared_ptr<const Snapshot> snapshot);
  using Homes = std::unordered_map<std::string_view, std::string_view>;  // replicas by client
  void take_along(Homes homes);
  void check_homes();
  void on_replica_tick();
  void leave_dead(const routing::Upstream& upstream, const routing::Replica& replica);
  void leave_quietly(const routing::Upstream& upstream, const routing::Replica& replica);
  void rebalance(const routing::Upstream& upstream, const routing::Replica& replica);

  const Shared& shared_;
  net::Loop loop_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::unique_ptr<routing::Store> store_;
  routing::Placement placement_;
  std::unique_ptr<routing::SessionDirectory> sessions_;
  std::unique_ptr<HomeCheck> home_check_;
  // The last one seals. Earlier ones stay for lookups that began with them; secrets change rarely.
  std::vector<std::unique_ptr<routing::AffinityCookies>> cookies_;
  std::vector<Door> doors_;
  ReplicaPool pool_{loop_, shared_.descriptors};
  IdleClients idle_;
  std::atomic<uint32_t> room_ordered_{0};
  ReplicaQueue queue_{loop_};
  PasswordChecker passwords_{loop_, shared_.password_failures};
  std::unordered_map<std::string, RetryBudget> retry_budgets_;  // by the upstream's name
  std::vector<std::unique_ptr<ClientConnection>> connections_;
  std::vector<Websocket*> websockets_;
  WorkerCounters counters_;
  HeldRequests held_{loop_, counters_.held};
  RouteTraffic route_traffic_;
  RefusalBudget refusals_;
  Flooders flooders_;
  std::list<ClientConnection*> handshakes_;
  net::Timer<&Worker::on_drain_tick> drain_tick_{loop_, *this};
  std::optional<DrainSchedule> drain_;
  std::atomic<bool> left_{false};
  MonotonicTime drain_looked_;
  struct Parting {
    std::shared_ptr<const routing::ReplicaStatus> replica;
    DrainSchedule schedule;
    MonotonicTime looked;
  };
  std::vector<Parting> partings_;
  net::Timer<&Worker::on_parting_tick> parting_tick_{loop_, *this};
  net::Timer<&Worker::on_replica_tick> replica_tick_{loop_, *this};
  Jitter jitter_ = make_jitter();
};

}  // namespace usher::proxy
