#include "proxy/replica_pool.h"

#include <algorithm>
#include <utility>

namespace usher::proxy {

ReplicaPool::~ReplicaPool() { drain(); }

std::unique_ptr<ReplicaConnection> ReplicaPool::lease(const routing::Replica& replica,
                                                      const conf::UpstreamTimeouts& timeouts,
                                                      protocol::HeadLimits response_limits,
                                                      ReplicaConnectionUser& user, bool fresh,
                                                      const MakeTransport& make_transport) {
  if (!fresh) {
    if (const auto found = idle_.find(replica.status.get());
        found != idle_.end() && !found->second.empty()) {
      std::unique_ptr<ReplicaConnection> connection = std::move(found->second.back());
      found->second.pop_back();
      --kept_;
      connection->lend(timeouts, user);
      return connection;
    }
  }
  auto connection = std::make_unique<ReplicaConnection>(loop_, replica, make_transport(), timeouts,
                                                        response_limits, user);
  connection->connect();
  return connection;
}

void ReplicaPool::give_back(std::unique_ptr<ReplicaConnection> connection,
                            const routing::Upstream& upstream) {
  const bool spent =
      upstream.connection_requests > 0 && connection->requests() >= upstream.connection_requests;
  if (draining_ || spent || upstream.idle_connections == 0 || !connection->reusable())
    return close(std::move(connection));
  Idle& idle = idle_[&connection->status()];
  while (idle.size() >= upstream.idle_connections) {
    close(std::move(idle.front()));
    idle.erase(idle.begin());
    --kept_;
  }
  if (kept_ >= descriptors_.most_idle_replicas()) return close(std::move(connection));
  connection->rest(*this);
  idle.push_back(std::move(connection));
  ++kept_;
}

void ReplicaPool::close(std::unique_ptr<ReplicaConnection> connection) {
  connection->close();
  loop_.bury(std::move(connection));
}

void ReplicaPool::drain() {
  draining_ = true;
  for (auto& [status, idle] : idle_) {
    for (auto& connection : std::exchange(idle, {}))
      close(std::move(connection));
  }
  kept_ = 0;
}

void ReplicaPool::on_idle_over(ReplicaConnection& connection) {
  Idle& idle = idle_[&connection.status()];
  const auto found = std::ranges::find(idle, &connection, &std::unique_ptr<ReplicaConnection>::get);
  if (found == idle.end()) return;
  const routing::ReplicaStatus* const status = &connection.status();
  close(std::move(*found));
  idle.erase(found);
  --kept_;
  if (idle.empty()) idle_.erase(status);
}

}  // namespace usher::proxy
