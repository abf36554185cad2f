#include "proxy/worker.h"

#include <algorithm>
#include <utility>

#include "base/network.h"
#include "base/random.h"
#include "proxy/proxy_protocol_transport.h"

namespace usher::proxy {
namespace {

// For the closing handshake of a websocket whose client has moved.
constexpr std::chrono::milliseconds parting_with_the_moved{1000};
// Idle connections that are compared before one is closed.
constexpr int candidates = 8;
constexpr std::chrono::milliseconds room_log_interval{10'000};
// How soon websockets notice that their replica is down or drains.
constexpr std::chrono::milliseconds replica_look{250};

// For so long an idle connection may bring one more request, whose answer says that it is the last
// one: a client that is just sending it is not met by a close.
constexpr Duration handover_grace{5000};
constexpr Duration stopping_grace{2000};

HomeCheck::Resident resident_of(const Websocket& websocket) {
  const TunnelRecord& record = websocket.record();
  return {record.session, {record.replica, record.epoch}};
}

}  // namespace

Worker::Worker(const Shared& shared, std::shared_ptr<const Snapshot> snapshot,
               const MakeStore& make_store)
    : shared_(shared), store_(make_store(loop_)), placement_(make_jitter()(), shared.clock) {
  sessions_ = std::make_unique<routing::SessionDirectory>(
      *store_, shared.clock, snapshot->settings.affinity, placement_, shared.live_sessions,
      shared.node_sids, shared.node_bindings, shared.unknown_keys);
  home_check_ = std::make_unique<HomeCheck>(
      loop_, *sessions_, [this](const std::string& client, const std::string& replica_id) {
        take_along({{client, replica_id}});
      });
  adopt(std::move(snapshot));
}

Worker::~Worker() {
  doors_.clear();
  while (!connections_.empty())
    connections_.back()->cut();
  loop_.free_buried();  // while what they refer to is still there
}

void Worker::listen(std::vector<Fd> fds, std::shared_ptr<const ListenerRole> role) {
  // A std::function can be copied, a descriptor cannot.
  auto shared = std::make_shared<std::vector<Fd>>(std::move(fds));
  loop_.post([this, shared, role = std::move(role)] {
    if (drain_) return;
    for (Fd& fd : *shared) {
      auto listener = std::make_unique<net::Listener>(
          loop_, std::move(fd),
          [this, role](Fd accepted, const SocketAddress& peer) {
            accept(std::move(accepted), peer, role);
          },
          [this](const Error& why) { on_resting(why); }, [this] { return has_room(); });
      doors_.push_back({role, std::move(listener)});
    }
  });
}

void Worker::stop_listening(std::shared_ptr<const ListenerRole> role) {
  loop_.post([this, role = std::move(role)] {
    std::erase_if(doors_, [&role](const Door& door) {
      if (door.role != role) return false;
      door.listener->accept_rest();
      return true;
    });
  });
}

void Worker::run() {
  replica_tick_.start(replica_look);
  loop_.run();
}

bool Worker::has_room() {
  if (shared_.descriptors.has_room()) return true;
  make_room();
  return shared_.descriptors.has_room();
}

void Worker::make_room() {
  if (const auto held_back =
          shared_.throttle.admit("connections_near_limit", room_log_interval, loop_.now())) {
    shared_.log.warning("connections_near_limit",
                        {{"most", shared_.descriptors.most_clients()}, {"held_back", *held_back}});
  }
  shared_.make_room(*this);
}

void Worker::order_room() {
  if (room_ordered_.fetch_add(1, std::memory_order_relaxed) > 0) return;
  loop_.post([this] {
    // Others may have ordered often meanwhile, for the same lack.
    uint32_t left = room_ordered_.exchange(0, std::memory_order_relaxed);
    for (; left > 0 && shared_.descriptors.is_tight(); --left)
      close_idle();
  });
}

// The oldest one of a network that has many: neither does one client drive out the others, nor does
// it cost a look at all of them.
void Worker::close_idle() {
  for (int tries = 0; tries < candidates; ++tries) {
    ClientConnection* chosen =
        idle_.choose(candidates, [](const ClientConnection& each) { return each.crowd(); });
    if (!chosen) return;
    if (chosen->give_way()) return counters_.idle_closed.add();
    chosen->become_idle();
  }
}

void Worker::on_resting(const Error& why) {
  shared_.log.warning("listener_rests", {{"reason", to_string(why)}});
  if (shared_.descriptors.has_room()) shared_.out_of_descriptors();
}

void Worker::accept(Fd fd, const SocketAddress& peer,
                    const std::shared_ptr<const ListenerRole>& role) {
  counters_.accepted.add();
  if (flooders_.has(peer.ip_bytes(), loop_.now())) return counters_.flooders_refused.add();
  // Before it is one of those that may have to go.
  if (shared_.descriptors.is_tight()) make_room();
  auto transport =
      role->tls ? snapshot_->tls->make_transport(role->alpn) : net::make_plain_transport();
  if (role->proxy_protocol) {
    // Whoever reaches a unix socket may speak for others.
    const auto ip = peer.ip_bytes();
    const bool trusted =
        peer.is_unix() || (role->balancers.empty() ? snapshot_->forwarding.trusts(ip)
                                                   : protocol::in_any(role->balancers, ip));
    transport = make_proxy_protocol_transport(std::move(transport), trusted);
  }
  auto connection =
      std::make_unique<ClientConnection>(*this, role, std::move(fd), peer, std::move(transport));
  connection->index = connections_.size();
  connections_.push_back(std::move(connection));
  connections_.back()->start();
}

bool Worker::make_good(const ClientConnection& flooder) const {
  const auto network = network_of(flooder.facts().ip);
  const auto is_neighbour = [&](const auto& each) {
    return each.get() != &flooder && each->credit() > 0 && network_of(each->facts().ip) == network;
  };
  uint32_t found = 0;
  for (auto each = connections_.begin(); each != connections_.end() && found < Flooders::price;
       ++each) {
    if (is_neighbour(*each)) found += (*each)->credit();
  }
  if (found < Flooders::price) return false;
  uint32_t left = Flooders::price;
  for (auto each = connections_.begin(); left > 0; ++each) {
    if (is_neighbour(*each)) left -= (*each)->spend(left);
  }
  return true;
}

void Worker::remove(ClientConnection& connection) {
  const size_t at = connection.index;
  if (at >= connections_.size() || connections_[at].get() != &connection) return;
  std::swap(connections_[at], connections_.back());
  connections_[at]->index = at;
  loop_.bury(std::move(connections_.back()));
  connections_.pop_back();
}

void Worker::add(Websocket& websocket) {
  websocket.index = websockets_.size();
  websockets_.push_back(&websocket);
}

void Worker::remove(Websocket& websocket) {
  websockets_[websocket.index] = websockets_.back();
  websockets_[websocket.index]->index = websocket.index;
  websockets_.pop_back();
}

void Worker::use(std::shared_ptr<const Snapshot> snapshot) {
  loop_.post([this, next = std::move(snapshot)] { adopt(next); });
}

void Worker::learn(std::shared_ptr<const std::vector<routing::Moved>> moved) {
  loop_.post([this, moved = std::move(moved)] {
    sessions_->learn(*moved);
    Homes homes;
    for (const routing::Moved& each : *moved)
      homes[routing::client_of(each)] = each.binding.replica;
    take_along(std::move(homes));
  });
}

void Worker::bring_home(std::string client, std::string replica_id) {
  loop_.post([this, client = std::move(client), replica_id = std::move(replica_id)] {
    take_along({{client, replica_id}});
  });
}

// One look at each websocket, however many have moved.
void Worker::take_along(Homes homes) {
  std::erase_if(homes, [this](const auto& moved) {
    return !shared_.live_sessions.has_elsewhere(moved.first, moved.second);
  });
  if (homes.empty()) return;
  for (size_t i = websockets_.size(); i-- > 0;) {
    const TunnelRecord& websocket = websockets_[i]->record();
    const auto moved = homes.find(websocket.session);
    if (moved == homes.end() || moved->second == websocket.replica) continue;
    part_with_moved(*websockets_[i]);
  }
}

void Worker::part_with_moved(Websocket& websocket) {
  websocket.leave(MoveReason::home, parting_with_the_moved, "its client has moved");
}

void Worker::doubt_bindings() {
  loop_.post([this] {
    sessions_->doubt();
    check_homes();
  });
}

void Worker::check_home(const Websocket& websocket) { home_check_->add(resident_of(websocket)); }

// Who only has a websocket asks for nothing that would show that it lives elsewhere by now.
void Worker::check_homes() {
  std::vector<HomeCheck::Resident> residents;
  for (const Websocket* each : websockets_)
    residents.push_back(resident_of(*each));
  home_check_->start(std::move(residents));
}

void Worker::adopt(std::shared_ptr<const Snapshot> snapshot) {
  const bool new_secrets = !snapshot_ || snapshot_->secrets.secrets != snapshot->secrets.secrets;
  if (new_secrets) {
    cookies_.push_back(
        std::make_unique<routing::AffinityCookies>(shared_.make_mac, snapshot->secrets));
  }
  snapshot_ = std::move(snapshot);
}

RetryBudget& Worker::retry_budget(const routing::Upstream& upstream) {
  return retry_budgets_.try_emplace(upstream.name).first->second;
}

void Worker::drain(const DrainSchedule& schedule, Departure departure) {
  loop_.post([this, schedule, departure] {
    const bool stopping = departure == Departure::stopping;
    drain_looked_ = loop_.now();
    drain_ = schedule;
    if (!stopping) leave();
    for (size_t i = connections_.size(); i-- > 0;)
      connections_[i]->drain(stopping ? stopping_grace : handover_grace);
    drain_tick_.start(DrainSchedule::tick);
  });
}

void Worker::close_doors() {
  loop_.post([this] {
    for (const Door& door : doors_)
      door.listener->accept_rest();
    leave();
  });
}

void Worker::leave() {
  doors_.clear();
  pool_.drain();
  left_.store(true, std::memory_order_release);
}

void Worker::part_from(std::shared_ptr<const routing::ReplicaStatus> replica,
                       std::chrono::milliseconds limit) {
  loop_.post([this, replica = std::move(replica), limit] {
    const MonotonicTime now = loop_.now();
    partings_.push_back({replica, DrainSchedule(now, limit), now});
    parting_tick_.start(DrainSchedule::tick);
  });
}

void Worker::on_parting_tick() {
  const MonotonicTime now = loop_.now();
  for (Parting& parting : partings_) {
    std::bernoulli_distribution chosen(
        parting.schedule.share(std::exchange(parting.looked, now), now));
    for (size_t i = websockets_.size(); i-- > 0;) {
      if (websockets_[i]->record().status != parting.replica || !chosen(jitter_)) continue;
      websockets_[i]->leave(MoveReason::drained, parting.schedule.parting(now),
                            "its replica drains");
    }
  }
  std::erase_if(partings_, [now](const Parting& parting) {
    return parting.schedule.cuts(now) || !parting.replica->draining();
  });
  if (!partings_.empty()) parting_tick_.start(DrainSchedule::tick);
}

// What can be carried on elsewhere leaves replicas that are down or drain, before it has to.
void Worker::on_replica_tick() {
  replica_tick_.start(replica_look);
  const std::shared_ptr<const Snapshot> snapshot = snapshot_;
  held_.look(*snapshot, std::chrono::duration<double>(replica_look).count());
  if (drain_) return;
  for (const routing::Upstream& upstream : snapshot->upstreams) {
    for (const routing::Replica& replica : upstream.replicas) {
      if (!upstream.migrate || replica.status->websockets == 0) continue;
      const routing::ReplicaState state = replica.status->state();
      if (!replica.status->serves_bound()) leave_dead(upstream, replica);
      if (state == routing::ReplicaState::draining) leave_quietly(upstream, replica);
      if (state == routing::ReplicaState::up) rebalance(upstream, replica);
    }
  }
}

// With no other replica to go to, a connection that still stands is worth more than none.
void Worker::leave_dead(const routing::Upstream& upstream, const routing::Replica& replica) {
  const bool any_other = std::ranges::any_of(
      upstream.replicas, [](const auto& each) { return each.status->takes_new(); });
  if (!any_other) return;
  for (size_t i = websockets_.size(); i-- > 0;) {
    const TunnelRecord& record = websockets_[i]->record();
    if (record.status != replica.status || !record.migration) continue;
    websockets_[i]->leave(MoveReason::down, {}, "its replica is down");
  }
}

// Nobody meets another version before the drain's limit; nor does a client whose terminal would
// have to end for it.
void Worker::leave_quietly(const routing::Upstream& upstream, const routing::Replica& replica) {
  const bool has_peer = std::ranges::any_of(upstream.replicas, [&](const auto& each) {
    return each.status->takes_new() && each.version_rank == replica.version_rank;
  });
  if (!has_peer) return;
  // No faster than the others take them, all workers together; about.
  uint64_t left = std::max<uint64_t>(1, upstream.migrate_rate * replica_look.count() / 2000);
  for (size_t i = websockets_.size(); i-- > 0 && left > 0;) {
    const TunnelRecord& record = websockets_[i]->record();
    if (record.status != replica.status || !record.migration) continue;
    if (shared_.live_sessions.has_fixed(record.session, record.replica)) continue;
    if (shared_.live_sessions.has_request(record.session)) continue;
    if (!websockets_[i]->quiet_for(upstream.quiet)) continue;
    websockets_[i]->leave(MoveReason::drained, {}, "its replica drains");
    --left;
  }
}

// A client is moved with its only websocket; what else it has open would have to follow at a moment
// that is not quiet.
void Worker::rebalance(const routing::Upstream& upstream, const routing::Replica& replica) {
  if (upstream.rebalance == 0 || !sessions_->store_available()) return;
  const MonotonicTime now = loop_.now();
  const auto* next = routing::Placement::emptier_newcomer(upstream, replica, now);
  if (!next) return;
  for (size_t i = websockets_.size(); i-- > 0;) {
    const TunnelRecord& record = websockets_[i]->record();
    if (record.status != replica.status || !record.migration) continue;
    if (shared_.live_sessions.websockets(record.session) != 1) continue;
    if (shared_.live_sessions.has_request(record.session)) continue;
    if (!websockets_[i]->quiet_for(upstream.quiet)) continue;
    if (!next->status->receive(now, upstream.rebalance_pause(), replica_look)) return;
    websockets_[i]->rebalance(*next->status);
    next = routing::Placement::emptier_newcomer(upstream, replica, now);
    if (!next) return;
  }
}

void Worker::on_drain_tick() {
  const MonotonicTime now = loop_.now();
  drain_tick_.start(DrainSchedule::tick);
  std::bernoulli_distribution chosen(drain_->share(std::exchange(drain_looked_, now), now));
  for (size_t i = websockets_.size(); i-- > 0;) {
    const bool waits = drain_->has_returned(websockets_[i]->record().started);
    if (waits ? drain_->tells_all(now) : chosen(jitter_))
      websockets_[i]->go_away(drain_->parting(now), "the front door is stopping");
  }
  if (!drain_->cuts(now)) return;
  for (size_t i = connections_.size(); i-- > 0;)
    connections_[i]->break_exchanges();
}

}  // namespace usher::proxy
