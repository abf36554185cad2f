#include "proxy/worker.h"

#include <utility>

#include "base/random.h"

namespace usher::proxy {
namespace {

// For the closing handshake of a websocket whose client has moved.
constexpr std::chrono::milliseconds parting_with_the_moved{1000};

}  // namespace

Worker::Worker(const Shared& shared, std::shared_ptr<const Snapshot> snapshot,
               const MakeStore& make_store)
    : shared_(shared),
      store_(make_store(loop_)),
      placement_(make_jitter()(), shared.clock),
      pool_(loop_) {
  sessions_ = std::make_unique<routing::SessionDirectory>(*store_, shared.clock, affinity_,
                                                          placement_, shared.live_sessions,
                                                          shared.node_sids, shared.node_bindings);
  home_check_ = std::make_unique<HomeCheck>(
      loop_, *sessions_, [this](const std::string& client, const std::string& replica_id) {
        take_along({{client, replica_id}});
      });
  adopt(std::move(snapshot));
}

Worker::~Worker() {
  listeners_.clear();
  while (!connections_.empty())
    connections_.back()->cut();
  loop_.free_buried();  // while what they refer to is still there
}

void Worker::listen(Fd fd, const ListenerRole& role) {
  roles_.push_back(std::make_unique<ListenerRole>(role));
  const ListenerRole& kept = *roles_.back();
  listeners_.push_back(std::make_unique<net::Listener>(
      loop_, std::move(fd),
      [this, &kept](Fd accepted, const SocketAddress& peer) {
        accept(std::move(accepted), peer, kept);
      },
      [this](const Error& why) {
        shared_.log.warning("listener_rests", {{"reason", to_string(why)}});
      }));
}

void Worker::run() { loop_.run(); }

void Worker::accept(Fd fd, const SocketAddress& peer, const ListenerRole& role) {
  counters_.accepted.add();
  auto transport =
      role.tls ? snapshot_->tls->make_transport(role.alpn) : net::make_plain_transport();
  auto connection =
      std::make_unique<ClientConnection>(*this, role, std::move(fd), peer, std::move(transport));
  connection->index = connections_.size();
  connections_.push_back(std::move(connection));
  connections_.back()->start();
}

void Worker::remove(ClientConnection& connection) {
  const size_t at = connection.index;
  if (at >= connections_.size() || connections_[at].get() != &connection) return;
  std::swap(connections_[at], connections_.back());
  connections_[at]->index = at;
  loop_.bury(std::move(connections_.back()));
  connections_.pop_back();
}

void Worker::add(Tunnel& tunnel) {
  tunnel.index = tunnels_.size();
  tunnels_.push_back(&tunnel);
}

void Worker::remove(Tunnel& tunnel) {
  tunnels_[tunnel.index] = tunnels_.back();
  tunnels_[tunnel.index]->index = tunnel.index;
  tunnels_.pop_back();
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
  for (size_t i = tunnels_.size(); i-- > 0;) {
    const TunnelRecord& websocket = tunnels_[i]->record();
    const auto moved = homes.find(websocket.session);
    if (moved == homes.end() || moved->second == websocket.replica) continue;
    part_with_moved(*tunnels_[i]);
  }
}

void Worker::part_with_moved(Tunnel& tunnel) {
  tunnel.go_away(parting_with_the_moved, "its client has moved");
}

void Worker::doubt_bindings() {
  loop_.post([this] {
    sessions_->doubt();
    check_homes();
  });
}

// Who only has a websocket asks for nothing that would show that it lives elsewhere by now.
void Worker::check_homes() {
  std::vector<HomeCheck::Resident> residents;
  for (const Tunnel* tunnel : tunnels_) {
    const TunnelRecord& websocket = tunnel->record();
    residents.push_back({websocket.session, {websocket.replica, websocket.epoch}});
  }
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

void Worker::drain(std::chrono::milliseconds limit) {
  loop_.post([this, limit] {
    drain_looked_ = loop_.now();
    drain_.emplace(drain_looked_, limit);
    listeners_.clear();
    pool_.drain();
    for (size_t i = connections_.size(); i-- > 0;)
      connections_[i]->drain();
    drain_tick_.start(DrainSchedule::tick);
  });
}

void Worker::part_from(const routing::ReplicaStatus& replica, std::chrono::milliseconds limit) {
  loop_.post([this, &replica, limit] {
    const MonotonicTime now = loop_.now();
    partings_.push_back({&replica, DrainSchedule(now, limit), now});
    parting_tick_.start(DrainSchedule::tick);
  });
}

void Worker::on_parting_tick() {
  const MonotonicTime now = loop_.now();
  for (Parting& parting : partings_) {
    std::bernoulli_distribution chosen(
        parting.schedule.share(std::exchange(parting.looked, now), now));
    for (size_t i = tunnels_.size(); i-- > 0;) {
      if (tunnels_[i]->record().status != parting.replica || !chosen(jitter_)) continue;
      tunnels_[i]->go_away(parting.schedule.parting(now), "its replica drains");
    }
  }
  std::erase_if(partings_, [now](const Parting& parting) {
    return parting.schedule.cuts(now) || !parting.replica->draining();
  });
  if (!partings_.empty()) parting_tick_.start(DrainSchedule::tick);
}

void Worker::on_drain_tick() {
  const MonotonicTime now = loop_.now();
  drain_tick_.start(DrainSchedule::tick);
  std::bernoulli_distribution chosen(drain_->share(std::exchange(drain_looked_, now), now));
  for (size_t i = tunnels_.size(); i-- > 0;) {
    if (chosen(jitter_)) tunnels_[i]->go_away(drain_->parting(now), "the front door is stopping");
  }
  if (!drain_->cuts(now)) return;
  for (size_t i = connections_.size(); i-- > 0;)
    connections_[i]->break_exchange();
}

}  // namespace usher::proxy
