// One accepted connection. Owns its stream, the codec of the client's protocol, the exchange under
// way and, after an upgrade, the tunnel.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/address.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"
#include "protocol/forwarding.h"
#include "protocol/server_codec.h"
#include "proxy/exchange.h"
#include "proxy/snapshot.h"
#include "proxy/websocket.h"
#include "tls/alpn.h"

namespace usher::proxy {

class Worker;

// What a listener says of the connections it accepts. Lives as long as the worker.
struct ListenerRole {
  bool tls = false;
  tls::AlpnProtocols alpn{{}};
  bool redirect_to_https = false;
  uint16_t https_port = 443;  // where that redirect leads
  uint16_t port = 0;
  bool proxy_protocol = false;
};

class ClientConnection final : public net::Mortal,
                               private net::StreamHandler,
                               private Websocket::Owner {
 public:
  ClientConnection(Worker& worker, const ListenerRole& role, Fd fd, const SocketAddress& peer,
                   std::unique_ptr<net::Transport> transport);
  ~ClientConnection() override;

  void start();
  // Ends when the exchange under way is over; at once if there is none. A tunnel stays.
  void drain();
  // An exchange under way is broken off, so that its client notices.
  void break_exchange();
  // There are too many handshakes, and this one has taken the longest.
  void give_up_handshake();
  // Closes whatever it is, now.
  void cut();

  // For the exchange.
  Worker& worker() { return worker_; }
  const ListenerRole& role() const { return role_; }
  const protocol::ClientFacts& facts() const { return facts_; }
  void send_head(const protocol::ResponseHead& head, bool close);
  void send_data(std::span<const char> data);
  void send_end(const protocol::Headers& trailers);
  bool above_high_mark() const { return stream_->above_high_mark(); }
  // The replica takes the request's body (again), or not for now.
  void resume_body() { stream_->resume_reading(); }
  void pause_body() { stream_->pause_reading(); }
  bool request_complete() const { return request_complete_; }
  std::string_view protocol_name() const { return codec_->name(); }
  // The exchange is over: `reuse` the connection for the next request, or end it in order.
  void end_exchange(bool reuse);
  // The response cannot be completed: the connection will end so that the client notices.
  void break_off();
  // A 101 was sent: both streams become a tunnel.
  Websocket& open_tunnel(std::unique_ptr<net::Stream> replica, TunnelRecord record);

  // The worker's table.
  size_t index = 0;

 private:
  enum class Phase : uint8_t {
    handshake,
    waiting,
    receiving_head,
    exchange,
    flushing,   // nothing more is said; what is queued is on its way
    lingering,  // all is said; what the client still sends is dropped
    tunnel,
    closed
  };

  void on_stream_open() override;
  size_t on_stream_data(std::span<const char> data) override;
  void on_stream_end() override;
  void on_stream_writable() override;
  void on_stream_hangup() override;
  void on_stream_finished() override;
  void on_stream_error(Error error) override;
  void on_tunnel_over() override { close(); }
  void on_deadline();

  bool parse_one(std::span<const char>& input);
  void begin_exchange();
  void refuse(Error error);
  std::chrono::milliseconds limit_of(conf::Millis usual) const;
  void take_peer_facts();
  bool admit();
  void begin_handshake();
  void end_handshake();
  bool over_the_limit();
  void turn_away(bool page);
  void note_failure(LogLevel level, const Error& error);
  void await_request(std::chrono::milliseconds limit);
  void check_progress();
  void check_flush();
  void watch_for_stall();
  bool ending() const { return phase_ == Phase::flushing || phase_ == Phase::lingering; }
  void client_left(Error error);
  void linger();
  void close();

  Worker& worker_;
  const ListenerRole& role_;
  std::shared_ptr<const Snapshot> snapshot_;  // of the request under way
  std::string peer_ip_;
  SocketAddress peer_;
  protocol::ClientFacts facts_;
  std::unique_ptr<net::PeerFacts> facts_of_handshake_;               // what facts_ points to
  std::optional<std::list<ClientConnection*>::iterator> handshake_;  // in the worker's list
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<protocol::ServerCodec> codec_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<Websocket> tunnel_;
  net::Timer<&ClientConnection::on_deadline> deadline_;
  uint64_t seen_in_ = 0;  // at the last look at progress
  uint64_t seen_out_ = 0;
  size_t lingered_ = 0;
  protocol::StreamId stream_id_ = 0;
  uint8_t still_ = 0;  // looks in a row without progress
  Phase phase_ = Phase::handshake;
  bool request_complete_ = false;
  bool request_has_body_ = false;
  bool limited_ = false;  // counted in the ConnectionLimit
  bool refused_ = false;  // beyond it, and to be told so
};

}  // namespace usher::proxy
