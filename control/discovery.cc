#include "control/discovery.h"

#include <algorithm>

#include "base/pending.h"
#include "conf/endpoint.h"
#include "net/dns_resolver.h"

namespace usher::control {
namespace {

// Numeric addresses and unix sockets are what they are.
std::optional<SocketAddress> fixed_address(const conf::Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) return SocketAddress::from_unix_path(endpoint.unix_path);
  return SocketAddress::from_ip(endpoint.host, endpoint.port);
}

// However often connects fail.
constexpr std::chrono::milliseconds shortest_pause{1000};

bool in_use(const routing::ReplicaStatus& status) {
  return status.in_flight > 0 || status.websockets > 0;
}

}  // namespace

// One "host:port" of an upstream, and what it resolves to.
class Discovery::Name final {
 public:
  Name(Discovery& owner, const conf::Endpoint& endpoint)
      : owner_(owner), endpoint_(endpoint), again_(owner.loop_, *this) {
    if (const auto fixed = fixed_address(endpoint_)) {
      addresses_.push_back(*fixed);
      answered_ = true;
    }
  }

  const conf::Endpoint& endpoint() const { return endpoint_; }

  // From now on, or if a question is under way from the next one on.
  void watch(const conf::UpstreamSettings& upstream) {
    interval_ = upstream.resolve;
    resolver_ = &owner_.resolver_for(upstream.nameservers);
    family_ = upstream.addresses;
    if (!fixed_address(endpoint_) && !lookup_.active() && !answered_) ask();
  }

  void look_again(std::string_view replica_id) {
    if (lookup_.active() || fixed_address(endpoint_)) return;
    const auto is_it = [&](const SocketAddress& address) {
      return to_string(address) == replica_id;
    };
    if (std::ranges::none_of(addresses_, is_it)) return;
    const MonotonicTime now = owner_.loop_.now();
    due_ = std::min(due_, std::max(now, asked_ + shortest_pause));
    again_.start(std::chrono::ceil<std::chrono::milliseconds>(due_ - now));
  }

  bool answered() const { return answered_; }
  const std::vector<SocketAddress>& addresses() const { return addresses_; }
  const std::vector<SocketAddress>& vanished() const { return vanished_; }

 private:
  void ask() {
    asked_ = owner_.loop_.now();
    lookup_ = resolver_->resolve(
        endpoint_.host, endpoint_.port,
        [this](Result<std::vector<SocketAddress>> found) { on_answer(std::move(found)); });
  }

  void on_answer(Result<std::vector<SocketAddress>> found) {
    due_ = owner_.loop_.now() + interval_;
    again_.start(interval_);
    const bool first = !answered_;
    answered_ = true;
    bool changed = forget_unused();
    if (found) std::erase_if(*found, [this](const SocketAddress& each) { return !wants(each); });
    if (!found || found->empty()) {
      if (!failing_) {
        failing_ = true;
        owner_.log_.warning("resolve_failed",
                            {{"name", to_string(endpoint_)},
                             {"reason", found ? "no address" : to_string(found.error())},
                             {"kept", static_cast<uint64_t>(addresses_.size())}});
      }
    } else {
      failing_ = false;
      changed = take(*found, first) || changed;
    }
    if (first || changed) owner_.changed_();
  }

  bool wants(const SocketAddress& address) const {
    return family_ == "any" || (family_ == "ipv4") == (address.family() == AF_INET);
  }

  bool take(const std::vector<SocketAddress>& found, bool first) {
    if (found == addresses_) return false;
    for (const SocketAddress& address : addresses_) {
      if (std::ranges::find(found, address) != found.end()) continue;
      owner_.board_.status_of(to_string(address)).set_vanished(true);
      vanished_.push_back(address);
      owner_.log_.info("replica_vanished",
                       {{"replica", to_string(address)}, {"name", to_string(endpoint_)}});
    }
    for (const SocketAddress& address : found) {
      if (std::ranges::find(addresses_, address) != addresses_.end()) continue;
      routing::ReplicaStatus& status = owner_.board_.status_of(to_string(address));
      if (!first) status.begin_slow_start(owner_.loop_.now());
      status.set_vanished(false);
      std::erase(vanished_, address);
      owner_.log_.info("replica_found",
                       {{"replica", to_string(address)}, {"name", to_string(endpoint_)}});
    }
    addresses_ = found;
    return true;
  }

  // A vanished replica is kept while somebody uses it, unless it is dead.
  bool forget_unused() {
    return std::erase_if(vanished_, [this](const SocketAddress& address) {
             const routing::ReplicaStatus& status = owner_.board_.status_of(to_string(address));
             return !in_use(status) || !status.serves_bound();
           }) > 0;
  }

  Discovery& owner_;
  conf::Endpoint endpoint_;
  std::chrono::milliseconds interval_{};
  net::Resolver* resolver_ = nullptr;
  std::string family_;  // UpstreamSettings::addresses
  std::vector<SocketAddress> addresses_;
  std::vector<SocketAddress> vanished_;
  Pending lookup_;
  net::Timer<&Name::ask> again_;
  MonotonicTime asked_;
  MonotonicTime due_ = MonotonicTime::max();  // when again_ goes off
  bool answered_ = false;
  bool failing_ = false;
};

Discovery::Discovery(net::Loop& loop, net::Resolver& resolver, routing::ReplicaBoard& board,
                     const Log& log, std::function<void()> changed)
    : loop_(loop), resolver_(resolver), board_(board), log_(log), changed_(std::move(changed)) {}

Discovery::~Discovery() = default;

void Discovery::start(const std::vector<conf::UpstreamSettings>& upstreams) {
  std::vector<Watched> before = std::exchange(watched_, {});
  for (const conf::UpstreamSettings& upstream : upstreams) {
    Watched& watched = watched_.emplace_back();
    watched.settings = upstream;
    watched.replay = std::make_shared<const std::vector<std::string>>(upstream.replay);
    for (const conf::ReplicaSettings& replica : upstream.replicas) {
      std::unique_ptr<Name> name = take_known(before, replica.address);
      if (!name) name = std::make_unique<Name>(*this, replica.address);
      name->watch(upstream);
      watched.names.push_back(std::move(name));
    }
  }
}

// A name that was watched before: its addresses are known without asking.
std::unique_ptr<Discovery::Name> Discovery::take_known(std::vector<Watched>& before,
                                                       const conf::Endpoint& endpoint) {
  for (Watched& watched : before) {
    for (auto& name : watched.names) {
      if (name && name->endpoint() == endpoint) return std::move(name);
    }
  }
  return nullptr;
}

net::Resolver& Discovery::resolver_for(const std::vector<std::string>& nameservers) {
  if (nameservers.empty()) return resolver_;
  std::unique_ptr<net::Resolver>& dns = dns_[nameservers];
  if (!dns) {
    std::vector<SocketAddress> servers;
    for (const std::string& text : nameservers) {
      const auto server = conf::parse_nameserver(text);
      const auto address = server ? fixed_address(*server) : std::nullopt;
      if (address) servers.push_back(*address);
    }
    dns = std::make_unique<net::DnsResolver>(loop_, servers);
  }
  return *dns;
}

void Discovery::look_again(std::string_view replica_id) {
  for (const Watched& watched : watched_) {
    for (const auto& name : watched.names)
      name->look_again(replica_id);
  }
}

bool Discovery::complete() const {
  return std::ranges::all_of(watched_, [](const Watched& watched) {
    return std::ranges::all_of(watched.names, [](const auto& name) { return name->answered(); });
  });
}

std::vector<routing::Upstream> Discovery::upstreams(const conf::AffinitySettings& affinity) const {
  std::vector<routing::Upstream> made;
  for (const Watched& watched : watched_) {
    routing::Upstream& upstream = made.emplace_back();
    const conf::UpstreamSettings& settings = watched.settings;
    upstream.name = settings.name;
    upstream.balance = settings.balance;
    upstream.socketio = settings.socketio;
    upstream.timeouts = settings.timeouts;
    upstream.slow_start = settings.slow_start;
    upstream.max_connections = settings.max_connections;
    upstream.idle_connections = settings.idle_connections;
    upstream.connection_requests = settings.connection_requests;
    upstream.queue = settings.queue;
    upstream.queue_timeout = settings.queue_timeout;
    upstream.drain = settings.drain;
    upstream.rebalance = settings.rebalance;
    upstream.migrate = settings.migrate;
    upstream.replay = watched.replay;
    upstream.quiet = settings.quiet;
    upstream.hold = settings.hold;
    upstream.park = settings.park;
    upstream.migrate_rate = settings.migrate_rate;
    upstream.fall = settings.health.fall;
    // A client has a home in every upstream, so every upstream has a cookie.
    upstream.cookie = made.size() == 1 ? affinity.cookie : affinity.cookie + "_" + settings.name;
    for (size_t i = 0; i < watched.names.size(); ++i) {
      const auto add = [&](const SocketAddress& address) {
        std::string id = to_string(address);
        if (upstream.find(id)) return;
        const conf::ReplicaSettings& replica = settings.replicas[i];
        upstream.replicas.push_back({id, address, &board_.status_of(id), replica.weight});
        upstream.replicas.back().backup = replica.backup;
        if (!replica.tls) return;
        upstream.replicas.back().tls_peer =
            settings.tls_name.empty() ? replica.address.host : settings.tls_name;
      };
      std::ranges::for_each(watched.names[i]->addresses(), add);
      std::ranges::for_each(watched.names[i]->vanished(), add);
    }
  }
  return made;
}

}  // namespace usher::control
