// The addresses that clients come to: their sockets, which are bound here or were passed on to this
// process, and what is served at each. A reload makes another set; what is in both keeps its
// sockets, so nobody who connects meanwhile is refused.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "base/result.h"
#include "conf/settings.h"
#include "control/inheritance.h"
#include "control/successor.h"
#include "proxy/listener_role.h"
#include "proxy/worker.h"

namespace usher::control {

class Listeners final {
 public:
  struct Sockets {
    conf::Endpoint configured;
    SocketAddress bound;
    std::vector<Fd> fds;
    std::shared_ptr<proxy::ListenerCounters> counters = std::make_shared<proxy::ListenerCounters>();
  };
  struct Entry {
    conf::ListenSettings settings;
    std::shared_ptr<const Sockets> sockets;
    std::shared_ptr<const proxy::ListenerRole> role;
    std::vector<std::vector<Fd>> shares;  // one for each worker, until they are handed out
    std::string url;
  };
  using Set = std::vector<Entry>;
  using Workers = std::vector<std::unique_ptr<proxy::Worker>>;

  // All or none. With the sockets that there are, else with inherited ones, else bound now.
  Result<Set> make(const std::vector<conf::ListenSettings>& settings, unsigned workers,
                   Inheritance& inherited) const;
  // Tells the workers to leave those that are not in the next set, or are something else in it.
  void retire(const Set& next, const Workers& workers) const;
  void use(Set next) { set_ = std::move(next); }
  // Tells the workers to accept at those that they do not know yet. They have what it needs.
  void open(const Workers& workers);
  // This process's hold on them; the workers have their own.
  void close() { set_.clear(); }
  bool closed() const { return set_.empty(); }
  // At every address that may have several sockets somebody else has one too (SO_REUSEPORT).
  bool others_listen() const;

  const Set& set() const { return set_; }
  std::string urls() const;
  // How many they hold, with the workers' own.
  uint64_t descriptors(unsigned workers) const;
  // For a successor: descriptors of this object's.
  std::vector<Bequest::Socket> to_pass_on() const;

 private:
  Set set_;
};

}  // namespace usher::control
