// Where the store's server is at this moment; asked before every round of connection attempts.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/pending.h"
#include "base/result.h"
#include "conf/settings.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/timer.h"

namespace usher::routing::redis {

struct ServerAddress {
  SocketAddress address;
  std::string host;  // as it was named to us: what its certificate must say
};

class ServerFinder {
 public:
  using Found = std::function<void(Result<std::vector<ServerAddress>>)>;

  virtual ~ServerFinder() = default;

  // One question at a time. Answers in a later turn with at least one address, the best first.
  virtual Pending find(Found found) = 0;

  // `moved` is called, at any later time, when what find() has answered is known to hold no more.
  virtual void when_moved(std::function<void()> moved) { (void)moved; }
};

// The servers that are named: an address, a unix socket, or a name that is resolved each time. Of
// several, each question is answered with the next.
class NamedServers final : public ServerFinder, private PendingAnswer {
 public:
  // At least one.
  NamedServers(net::Loop& loop, net::Resolver& resolver, std::vector<conf::Endpoint> servers);

  Pending find(Found found) override;

  // From now on these; the first of them answers next.
  void use(std::vector<conf::Endpoint> servers);
  // The one that answered last.
  const conf::Endpoint& last() const { return asked_; }
  // It answers the next question too.
  void keep_last() { next_ = (next_ + servers_.size() - 1) % servers_.size(); }

 private:
  void cancel() noexcept override { soon_.stop(); }
  void on_unix_path();

  net::Resolver& resolver_;
  std::vector<conf::Endpoint> servers_;
  size_t next_ = 0;
  conf::Endpoint asked_;
  net::Timer<&NamedServers::on_unix_path> soon_;
  Found found_;
};

// What a server says that another's host is: a name or an address, and nothing else.
bool is_server_host(std::string_view text);

// "host:port", "[IPv6]:port" or the path.
std::string name_of(const conf::Endpoint& server);

// The same host for all of them.
std::vector<ServerAddress> name_all(const std::vector<SocketAddress>& addresses,
                                    const std::string& host);

}  // namespace usher::routing::redis
