#include "control/listeners.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "control/bind.h"
#include "net/listener.h"

namespace usher::control {
namespace {

using Shared = std::shared_ptr<const Listeners::Sockets>;

std::string name_of(bool tls) { return tls ? "https" : "http"; }

Result<Shared> open_sockets(const conf::ListenSettings& settings, unsigned workers,
                            Inheritance& inherited) {
  auto sockets = std::make_shared<Listeners::Sockets>();
  sockets->configured = settings.address;
  const auto addresses = addresses_of(settings.address);
  if (!addresses) return addresses.error();
  sockets->fds = inherited.claim(*addresses, name_of(settings.tls));
  if (!sockets->fds.empty()) {
    sockets->bound = net::Listener::bound_address(sockets->fds.front());
    return Shared(std::move(sockets));
  }
  auto first = bind(settings.address);
  if (!first) return std::move(first).error();
  sockets->bound = net::Listener::bound_address(*first);
  sockets->fds.push_back(std::move(*first));
  // Unix sockets have no SO_REUSEPORT: the workers share one queue.
  const unsigned wanted = sockets->bound.is_unix() ? 1 : workers;
  while (sockets->fds.size() < wanted) {
    auto next = net::Listener::bind(sockets->bound);
    if (!next) return std::move(next).error();
    sockets->fds.push_back(std::move(*next));
  }
  return Shared(std::move(sockets));
}

// Every worker has one at least, and every socket somebody who accepts at it.
Result<std::vector<std::vector<Fd>>> share_out(const Listeners::Sockets& sockets,
                                               unsigned workers) {
  std::vector<std::vector<Fd>> shares(workers);
  const size_t count = std::max<size_t>(workers, sockets.fds.size());
  for (size_t i = 0; i < count; ++i) {
    Fd fd(::fcntl(sockets.fds[i % sockets.fds.size()].get(), F_DUPFD_CLOEXEC, 0));
    if (!fd.valid()) {
      return Error{Errc::system, Side::usher,
                   to_string(sockets.bound) + ": dup: " + std::strerror(errno)};
    }
    shares[i % workers].push_back(std::move(fd));
  }
  return shares;
}

proxy::ListenerRole make_role(const conf::ListenSettings& settings,
                              const Listeners::Sockets& sockets, uint16_t https_port) {
  return {.tls = settings.tls,
          .alpn = tls::AlpnProtocols(conf::offered_protocols(settings)),
          .redirect_to_https = settings.redirect_to_https,
          .https_port = https_port,
          .entrance = {sockets.bound.port(), settings.address},
          .proxy_protocol = settings.proxy_protocol,
          .balancers = settings.trusted,
          .counters = sockets.counters};
}

bool holds(const Listeners::Set& set, const Listeners::Entry& entry) {
  return std::ranges::any_of(set, [&](const auto& each) { return each.role == entry.role; });
}

}  // namespace

Result<Listeners::Set> Listeners::make(const std::vector<conf::ListenSettings>& settings,
                                       unsigned workers, Inheritance& inherited) const {
  Set made;
  std::set<const Entry*> kept;
  for (const conf::ListenSettings& each : settings) {
    const auto known = std::ranges::find_if(set_, [&](const Entry& entry) {
      return entry.sockets->configured == each.address && !kept.contains(&entry);
    });
    auto sockets = known != set_.end() ? Result<Shared>(known->sockets)
                                       : open_sockets(each, workers, inherited);
    if (!sockets) return std::move(sockets).error();
    Entry& entry = made.emplace_back();
    entry.settings = each;
    entry.sockets = std::move(*sockets);
    entry.url = url_of(name_of(each.tls), entry.sockets->bound);
    if (known == set_.end()) continue;
    kept.insert(&*known);
    if (known->settings == each) entry.role = known->role;
  }
  // Plain listeners lead to the first TLS listener.
  const auto secure =
      std::ranges::find_if(made, [](const Entry& entry) { return entry.settings.tls; });
  const uint16_t https_port =
      secure == made.end() ? proxy::ListenerRole{}.https_port : secure->sockets->bound.port();
  for (Entry& entry : made) {
    if (entry.role && entry.role->https_port == https_port) continue;
    entry.role = std::make_shared<const proxy::ListenerRole>(
        make_role(entry.settings, *entry.sockets, https_port));
    auto shares = share_out(*entry.sockets, workers);
    if (!shares) return std::move(shares).error();
    entry.shares = std::move(*shares);
  }
  return made;
}

void Listeners::retire(const Set& next, const Workers& workers) const {
  for (const Entry& entry : set_) {
    if (holds(next, entry)) continue;
    for (const auto& worker : workers)
      worker->stop_listening(entry.role);
  }
}

void Listeners::open(const Workers& workers) {
  for (Entry& entry : set_) {
    for (size_t i = 0; i < entry.shares.size(); ++i)
      workers[i]->listen(std::move(entry.shares[i]), entry.role);
    entry.shares.clear();
  }
}

bool Listeners::others_listen() const {
  bool any = false;
  for (const Entry& entry : set_) {
    if (entry.sockets->bound.is_unix()) continue;
    if (!net::Listener::others_at(entry.sockets->bound, entry.sockets->fds)) return false;
    any = true;
  }
  return any;
}

std::string Listeners::urls() const {
  std::string text;
  for (const Entry& entry : set_)
    text += (text.empty() ? "" : ", ") + entry.url;
  return text;
}

uint64_t Listeners::descriptors(unsigned workers) const {
  uint64_t sum = 0;
  for (const Entry& entry : set_)
    sum += entry.sockets->fds.size() + std::max<size_t>(workers, entry.sockets->fds.size());
  return sum;
}

std::vector<Bequest::Socket> Listeners::to_pass_on() const {
  std::vector<Bequest::Socket> sockets;
  for (const Entry& entry : set_) {
    for (const Fd& fd : entry.sockets->fds)
      sockets.push_back({fd.get(), name_of(entry.settings.tls)});
  }
  return sockets;
}

}  // namespace usher::control
