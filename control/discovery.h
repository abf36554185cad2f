// Which replicas there are: every address that an upstream's names resolve to, asked again every
// `resolve`, and at once when a connect fails: of the system's resolver, or of the upstream's own
// name servers. A failed look-up keeps the last known set; an address that is no longer named
// drains until nobody uses it. It also learns what the addresses of a name are called, for people.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "conf/settings.h"
#include "net/dns_resolver.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "routing/replica.h"
#include "routing/replica_board.h"

namespace usher::control {

class Discovery final {
 public:
  // `changed` is called when a list of replicas has changed, never inside of start().
  Discovery(net::Loop& loop, net::Resolver& resolver, routing::ReplicaBoard& board, const Log& log,
            std::function<void()> changed);
  ~Discovery();

  // Begins (again) with these upstreams. What was known of a name before is kept; addresses that
  // need no resolver are known at once.
  void start(const std::vector<conf::UpstreamSettings>& upstreams);
  // A connect to this replica failed: its name is resolved again now, but no name more often than
  // once a second.
  void look_again(std::string_view replica_id);
  // Every name has been answered for at least once.
  bool complete() const;
  // The upstreams as now known, in the settings' order.
  std::vector<routing::Upstream> upstreams(const conf::AffinitySettings& affinity) const;

 private:
  class Name;
  struct Watched {
    conf::UpstreamSettings settings;
    std::shared_ptr<const std::vector<std::string>> replay;  // of the settings
    std::vector<std::unique_ptr<Name>> names;                // one for each of settings.replicas
  };

  std::unique_ptr<Name> take_known(std::vector<Watched>& before,
                                   const conf::UpstreamSettings& upstream,
                                   const conf::ReplicaSettings& replica);
  net::Resolver& resolver_for(const std::vector<std::string>& nameservers);
  net::DnsResolver& dns_for(const std::vector<std::string>& nameservers);

  net::Loop& loop_;
  net::Resolver& resolver_;
  // By the name servers that they ask; by none: the system's. What the settings no longer name
  // stays: it may be asked yet.
  std::map<std::vector<std::string>, std::unique_ptr<net::DnsResolver>> dns_;
  routing::ReplicaBoard& board_;
  const Log& log_;
  std::function<void()> changed_;
  std::vector<Watched> watched_;
};

}  // namespace usher::control
