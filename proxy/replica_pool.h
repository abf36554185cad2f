// One worker's connections to the replicas: idle ones are kept for less time than uvicorn keeps
// them (5 s), so that a request never races the replica's own close.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "net/loop.h"
#include "proxy/descriptor_budget.h"
#include "proxy/replica_connection.h"
#include "routing/replica.h"

namespace usher::proxy {

class ReplicaPool final : private ReplicaConnection::Keeper {
 public:
  ReplicaPool(net::Loop& loop, const DescriptorBudget& descriptors)
      : loop_(loop), descriptors_(descriptors) {}
  ~ReplicaPool();

  using MakeTransport = std::function<std::unique_ptr<net::Transport>()>;

  // The most recently used idle connection, or with none (or `fresh`) a new one that is connecting.
  std::unique_ptr<ReplicaConnection> lease(const routing::Replica& replica,
                                           const conf::UpstreamTimeouts& timeouts,
                                           protocol::HeadLimits response_limits,
                                           ReplicaConnectionUser& user, bool fresh,
                                           const MakeTransport& make_transport);
  // Keeps it if it is reusable and its upstream and the descriptors allow it, in the place of the
  // one that was used longest ago if need be; else buries it.
  void give_back(std::unique_ptr<ReplicaConnection> connection, const routing::Upstream& upstream);
  // No idle connection is kept from now on.
  void drain();

 private:
  using Idle = std::vector<std::unique_ptr<ReplicaConnection>>;

  void on_idle_over(ReplicaConnection& connection) override;
  void close(std::unique_ptr<ReplicaConnection> connection);

  net::Loop& loop_;
  const DescriptorBudget& descriptors_;
  std::unordered_map<const routing::ReplicaStatus*, Idle> idle_;
  size_t kept_ = 0;  // idle ones, to all replicas
  bool draining_ = false;
};

}  // namespace usher::proxy
