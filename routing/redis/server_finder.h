// Where the store's server is at this moment; asked before every round of connection attempts.
// Sentinel (ask the Sentinels for the master) and Cluster (one finder a shard) are to be further
// finders.
#pragma once

#include <functional>
#include <vector>

#include "base/address.h"
#include "base/pending.h"
#include "base/result.h"
#include "conf/settings.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/timer.h"

namespace usher::routing::redis {

class ServerFinder {
 public:
  using Found = std::function<void(Result<std::vector<SocketAddress>>)>;

  virtual ~ServerFinder() = default;

  // One question at a time. Answers in a later turn with at least one address, the best first.
  virtual Pending find(Found found) = 0;
};

// The one server that store.url names: an address, a unix socket, or a name that is resolved each
// time.
class NamedServer final : public ServerFinder, private PendingAnswer {
 public:
  NamedServer(net::Loop& loop, net::Resolver& resolver, conf::Endpoint server);

  Pending find(Found found) override;

 private:
  void cancel() noexcept override { soon_.stop(); }
  void on_unix_path();

  net::Resolver& resolver_;
  conf::Endpoint server_;
  net::Timer<&NamedServer::on_unix_path> soon_;
  Found found_;
};

}  // namespace usher::routing::redis
