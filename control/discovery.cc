#include "control/discovery.h"

#include <algorithm>

#include "base/pending.h"
#include "base/strings.h"
#include "conf/endpoint.h"
#include "conf/words.h"
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

// What besides its address makes a connection to a replica what it is: one that is verified must
// never be another one that is not.
std::string channel_to(const conf::UpstreamSettings& upstream, const conf::ReplicaSettings& replica,
                       const std::string& peer) {
  if (!replica.tls) return {};
  return std::string("https\n").append(peer) +
         (upstream.tls_verify ? "\nverified by " + upstream.ca : "\nnot verified");
}

std::string tls_peer_of(const conf::UpstreamSettings& upstream,
                        const conf::ReplicaSettings& replica) {
  if (!replica.tls) return {};
  return upstream.tls_name.empty() ? replica.address.host : upstream.tls_name;
}

// RFC 1123 section 2.1, and "_", which Compose has in names of containers.
bool is_host_name(std::string_view text) {
  constexpr size_t longest = 253;
  return text.size() <= longest && conf::is_identifier(text, "-._");
}

// However many addresses a name has: so many of them are asked what they are called.
constexpr size_t most_host_names = 64;

}  // namespace

// One "host:port" of an upstream, and what it resolves to.
class Discovery::Name final {
 public:
  Name(Discovery& owner, const conf::ReplicaSettings& replica)
      : owner_(owner), replica_(replica), again_(owner.loop_, *this) {
    if (const auto fixed = fixed_address(endpoint_)) {
      addresses_.push_back(*fixed);
      answered_ = true;
    }
  }

  // The same name, reached in another way: what it resolved to is known.
  Name(Discovery& owner, const conf::ReplicaSettings& replica, const Name& known)
      : Name(owner, replica) {
    addresses_ = known.addresses_;
    answered_ = known.answered_;
  }

  const conf::Endpoint& endpoint() const { return endpoint_; }
  // Whether what is known of it is so for this replica of that upstream, too.
  bool stands_for(const conf::UpstreamSettings& upstream,
                  const conf::ReplicaSettings& replica) const {
    return replica.address == endpoint_ &&
           channel_ == channel_to(upstream, replica, tls_peer_of(upstream, replica));
  }

  // From now on, or if a question is under way from the next one on.
  void watch(const conf::UpstreamSettings& upstream, const conf::ReplicaSettings& replica) {
    interval_ = upstream.resolve;
    resolver_ = &owner_.resolver_for(upstream.nameservers);
    namer_ = &owner_.dns_for(upstream.nameservers);
    family_ = upstream.addresses;
    replica_ = replica;
    tls_peer_ = tls_peer_of(upstream, replica);
    channel_ = channel_to(upstream, replica, tls_peer_);
    if (!fixed_address(endpoint_) && !asked_) ask();
  }

  void look_again(std::string_view replica_id) {
    if (lookup_.active() || fixed_address(endpoint_)) return;
    const auto is_it = [&](const SocketAddress& address) {
      return to_string(address) == replica_id;
    };
    if (std::ranges::none_of(addresses_, is_it)) return;
    const MonotonicTime now = owner_.loop_.now();
    due_ = std::min(due_, std::max(now, asked_.value_or(now) + shortest_pause));
    again_.start(std::chrono::ceil<std::chrono::milliseconds>(due_ - now));
  }

  bool answered() const { return answered_; }

  void add_to(routing::Upstream& upstream) const {
    for (const std::vector<SocketAddress>* each : {&addresses_, &vanished_}) {
      for (const SocketAddress& address : *each) {
        std::string id = to_string(address);
        if (upstream.find(id)) continue;
        auto status = status_of(address);
        routing::Replica& replica = upstream.replicas.emplace_back(
            routing::Replica{std::move(id), address, std::move(status), replica_.weight});
        replica.backup = replica_.backup;
        replica.tls_peer = tls_peer_;
        if (!fixed_address(endpoint_)) replica.name = to_string(endpoint_);
        if (const auto host = hosts_.find(replica.id); host != hosts_.end())
          replica.host = host->second.name;
      }
    }
    if (!failure_.empty()) upstream.unresolved.push_back({to_string(endpoint_), failure_});
  }

 private:
  // What an address is called.
  struct Host {
    std::string name;
    Pending lookup;
  };

  std::shared_ptr<routing::ReplicaStatus> status_of(const SocketAddress& address) const {
    return owner_.board_.status_of(to_string(address), channel_);
  }

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
      std::string why = found ? "no address" : to_string(found.error());
      if (failure_.empty()) {
        changed = true;
        owner_.log_.warning("resolve_failed", {{"name", to_string(endpoint_)},
                                               {"reason", why},
                                               {"kept", static_cast<uint64_t>(addresses_.size())}});
      }
      failure_ = std::move(why);
    } else {
      changed = !std::exchange(failure_, {}).empty() || changed;
      changed = take(*found, first) || changed;
    }
    ask_hosts();
    if (first || changed) owner_.changed_();
  }

  // Again and again, because an address may be given to another container.
  void ask_hosts() {
    std::erase_if(hosts_, [this](const auto& host) {
      const auto is_it = [&](const SocketAddress& each) { return to_string(each) == host.first; };
      return std::ranges::none_of(addresses_, is_it) && std::ranges::none_of(vanished_, is_it);
    });
    for (const SocketAddress& address : addresses_) {
      std::string id = to_string(address);
      if (hosts_.size() >= most_host_names && !hosts_.contains(id)) return;
      Host& host = hosts_[id];
      if (host.lookup.active()) continue;
      host.lookup = namer_->name_of(address, [this, id = std::move(id)](Result<std::string> found) {
        on_host(id, std::move(found));
      });
    }
  }

  // What cannot be learnt now stays as it was.
  void on_host(const std::string& id, Result<std::string> found) {
    const auto host = hosts_.find(id);
    if (!found || host == hosts_.end()) return;
    if (!is_host_name(*found)) found->clear();
    if (std::exchange(host->second.name, *found) != *found) owner_.changed_();
  }

  bool wants(const SocketAddress& address) const {
    return family_ == "any" || (family_ == "ipv4") == (address.family() == AF_INET);
  }

  bool take(const std::vector<SocketAddress>& found, bool first) {
    if (found == addresses_) return false;
    for (const SocketAddress& address : addresses_) {
      if (std::ranges::find(found, address) != found.end()) continue;
      status_of(address)->set_vanished(true);
      vanished_.push_back(address);
      owner_.log_.info("replica_vanished",
                       {{"replica", to_string(address)}, {"name", to_string(endpoint_)}});
    }
    for (const SocketAddress& address : found) {
      if (std::ranges::find(addresses_, address) != addresses_.end()) continue;
      const auto status = status_of(address);
      if (!first) status->begin_slow_start(owner_.loop_.now());
      status->set_vanished(false);
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
             const auto status = status_of(address);
             return !in_use(*status) || !status->serves_bound();
           }) > 0;
  }

  Discovery& owner_;
  conf::ReplicaSettings replica_;
  const conf::Endpoint endpoint_{replica_.address};
  std::string tls_peer_;
  std::string channel_;
  std::chrono::milliseconds interval_{};
  net::Resolver* resolver_ = nullptr;
  net::DnsResolver* namer_ = nullptr;
  std::string family_;  // UpstreamSettings::addresses
  std::vector<SocketAddress> addresses_;
  std::vector<SocketAddress> vanished_;
  std::map<std::string, Host> hosts_;  // by the replica's id
  Pending lookup_;
  net::Timer<&Name::ask> again_;
  std::optional<MonotonicTime> asked_;        // when it was last resolved
  MonotonicTime due_ = MonotonicTime::max();  // when again_ goes off
  bool answered_ = false;
  std::string failure_;  // why the last look-up found nothing; empty: it found something
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
      std::unique_ptr<Name> name = take_known(before, upstream, replica);
      if (!name) name = std::make_unique<Name>(*this, replica);
      name->watch(upstream, replica);
      watched.names.push_back(std::move(name));
    }
  }
}

// A name that was watched before: its addresses are known without asking.
std::unique_ptr<Discovery::Name> Discovery::take_known(std::vector<Watched>& before,
                                                       const conf::UpstreamSettings& upstream,
                                                       const conf::ReplicaSettings& replica) {
  for (Watched& watched : before) {
    for (auto& name : watched.names) {
      if (name && name->stands_for(upstream, replica)) return std::move(name);
    }
  }
  for (const Watched& watched : before) {
    for (const auto& name : watched.names) {
      if (name && name->endpoint() == replica.address)
        return std::make_unique<Name>(*this, replica, *name);
    }
  }
  return nullptr;
}

net::Resolver& Discovery::resolver_for(const std::vector<std::string>& nameservers) {
  if (nameservers.empty()) return resolver_;
  return dns_for(nameservers);
}

net::DnsResolver& Discovery::dns_for(const std::vector<std::string>& nameservers) {
  std::unique_ptr<net::DnsResolver>& dns = dns_[nameservers];
  if (dns) return *dns;
  if (nameservers.empty()) return *(dns = std::make_unique<net::DnsResolver>(loop_));
  std::vector<SocketAddress> servers;
  for (const std::string& text : nameservers) {
    const auto server = conf::parse_nameserver(text);
    const auto address = server ? fixed_address(*server) : std::nullopt;
    if (address) servers.push_back(*address);
  }
  return *(dns = std::make_unique<net::DnsResolver>(loop_, servers));
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
    for (const auto& name : watched.names)
      name->add_to(upstream);
  }
  return made;
}

}  // namespace usher::control
