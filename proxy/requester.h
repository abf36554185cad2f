// The client as one exchange sees it: who asks, and how it is answered. An HTTP/1.1 connection is
// one, and so is each stream of an HTTP/2 connection; an exchange does not know which.
//
// No call here calls back into the exchange.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "net/channel.h"
#include "protocol/forwarding.h"
#include "protocol/message.h"
#include "proxy/listener_role.h"
#include "proxy/websocket.h"

namespace usher::proxy {

// It is no refusal and no failure.
inline bool is_good(const protocol::ResponseHead& head) { return head.status < 400; }
// So much of a request's body may come before anybody takes it.
inline constexpr size_t first_body = 16 * 1024;

class Requester {
 public:
  virtual const ListenerRole& role() const = 0;
  virtual const protocol::ClientFacts& facts() const = 0;
  // Numeric, of the socket; "unix:" of a unix socket.
  virtual std::string server_address() const = 0;
  // In the TLS handshake (SNI), where Snapshot::keeps_asked_names; or empty.
  virtual std::string_view asked_name() const = 0;
  virtual std::string_view protocol_name() const = 0;  // as the access log says it

  // The request has come to its end, as HTTP/1.1 counts it: a websocket's handshake has no body.
  virtual bool request_complete() const = 0;
  // The replica takes the request's body (again), or not for now.
  virtual void resume_body() = 0;
  virtual void pause_body() = 0;

  // Interim heads come before the final one. `last`: nothing else that the client has sent or will
  // send is going to be answered on what carries this request.
  virtual void send_head(const protocol::ResponseHead& head, bool last) = 0;
  virtual void send_data(std::span<const char> data) = 0;
  virtual void send_end(const protocol::Headers& trailers) = 0;
  // The client takes less than it is sent: Exchange::on_client_writable() follows.
  virtual bool above_high_mark() const = 0;
  // How much more it should be sent.
  virtual size_t room() const = 0;
  // The response cannot be completed: what carries it will end so that the client notices.
  virtual void break_off() = 0;
  // The exchange is over, and buried. `reuse`: what carried it may carry the next one.
  virtual void end_exchange(bool reuse) = 0;
  // A 101 was sent, and the exchange is over: both sides become a tunnel.
  virtual Websocket& open_tunnel(std::unique_ptr<net::Channel> replica, TunnelRecord record) = 0;

 protected:
  ~Requester() = default;
};

}  // namespace usher::proxy
