// The admin listener: a small HTTP/1.1 server on the control thread. What the answers are is
// decided by whoever made it; here is how they are carried.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  // More connections than this wait in the kernel's queue to be closed.
  static constexpr size_t most_connections = 256;

  Admin(net::Loop& loop, Fd fd, Answer answer);
  ~Admin();
  // Whoever is connected is still answered.
  void stop_accepting() { listener_.reset(); }

 private:
  class Connection;

  void accept(Fd fd, const SocketAddress& peer);
  void remove(Connection& connection);

  net::Loop& loop_;
  Answer answer_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::optional<net::Listener> listener_;
};

}  // namespace usher::control
