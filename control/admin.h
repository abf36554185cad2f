// The admin listener: a small HTTP/1.1 server on the control thread. What the answers are is
// decided by whoever made it; here is how they are carried.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/fd.h"
#include "base/pending.h"
#include "net/listener.h"
#include "net/loop.h"
#include "protocol/message.h"

namespace usher::control {

// Lives during the call only.
struct AdminRequest {
  const protocol::RequestHead& head;
  std::string_view body;
  const SocketAddress& peer;
  const SocketAddress& local;

  std::string_view method() const { return head.method; }
  std::string_view path() const { return head.path(); }
  std::string_view query() const { return head.query(); }
};

struct AdminResponse {
  uint16_t status = 200;
  std::string content_type = "application/json";
  std::string body;
};

class Admin final {
 public:
  using Respond = std::function<void(AdminResponse)>;
  // Responds once: within the call, or later unless what it returns is dropped.
  using Answer = std::function<Pending(const AdminRequest&, Respond)>;
  // A longer body is refused.
  static constexpr size_t most_body = 4096;
  // How many may be open at a time where the process may open `descriptors`. For one that comes
  // beyond them the one that has said nothing for longest goes.
  static size_t most_connections(uint64_t descriptors);

  Admin(net::Loop& loop, Fd fd, Answer answer, size_t most);
  ~Admin();
  // Whoever is connected is still answered.
  void stop_accepting() { listener_.reset(); }

 private:
  class Connection;

  void accept(Fd fd, const SocketAddress& peer);
  void remove(Connection& connection);
  // It has said something: of those that are idle it is the last to go.
  void refresh(Connection& connection);

  net::Loop& loop_;
  Answer answer_;
  const size_t most_;
  std::list<std::unique_ptr<Connection>> connections_;  // that said something last at the end
  std::optional<net::Listener> listener_;
};

}  // namespace usher::control
