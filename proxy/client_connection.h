// One accepted connection: counted, let in or refused, shaken hands with. Then it belongs to the
// session of the protocol that the client speaks, and after an HTTP/1.1 upgrade to a tunnel. Owns
// all of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/fd.h"
#include "base/log.h"
#include "conf/settings.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"
#include "protocol/forwarding.h"
#include "proxy/client_session.h"
#include "proxy/crowds.h"
#include "proxy/flooders.h"
#include "proxy/idle_connections.h"
#include "proxy/listener_role.h"
#include "proxy/snapshot.h"
#include "proxy/websocket.h"

namespace usher::proxy {

class Worker;
class ClientConnection;

using IdleClients = IdleConnections<ClientConnection>;

class ClientConnection final : public net::Mortal,
                               private net::StreamHandler,
                               private Websocket::Owner {
 public:
  ClientConnection(Worker& worker, std::shared_ptr<const ListenerRole> role, Fd fd,
                   const SocketAddress& peer, std::unique_ptr<net::Transport> transport);
  ~ClientConnection() override;

  void start();
  // Ends when the exchanges under way are over; without any, after the grace. A tunnel stays.
  void drain(Duration grace);
  // Exchanges under way are broken off, so that their clients notice.
  void break_exchanges();
  // There are too many handshakes, and this one has taken the longest.
  void give_up_handshake();
  // Closes whatever it is, now.
  void cut();

  // For its session.
  const ListenerRole& role() const { return *role_; }
  const protocol::ClientFacts& facts() const { return facts_; }
  std::string server_address() const;
  std::string_view asked_name() const;
  void count_request() { ++facts_.requests; }
  net::Stream& stream() { return *stream_; }
  // It is beyond limits.connections: each request is to be answered with 429, and none carried out.
  bool refused() const { return refused_; }
  // Who is refused is not waited for as long as others.
  std::chrono::milliseconds limit_of(conf::Millis usual) const;
  // For a request that has not begun: not as long while the worker drains.
  std::chrono::milliseconds idle_limit(conf::Millis usual) const;
  // ClientSession::on_deadline() comes then; starting it again moves it.
  void start_deadline(std::chrono::milliseconds after) { deadline_.start(after); }
  // For what ends a connection, and has no line in the access log.
  void note_failure(LogLevel level, const Error& error);
  // It carries no request from now on, or does.
  void become_idle();
  void become_busy();
  // It carries no request, and others need its descriptor. False: it is still sending something.
  bool give_way();
  // How many connections its network has, where that says something of one client.
  uint64_t crowd() const { return crowd_ ? crowd_->load(std::memory_order_relaxed) : 0; }
  // What it opens next is not heard for a while, unless others behind the same address make up for
  // it.
  void note_flood();
  // A request has been answered well.
  void count_good() { good_ = std::min(good_ + 1, Flooders::most_of_one); }
  // Of these, what is not spent; none of one that has done what floods do.
  uint32_t credit() const;
  // Returns how much of it that was.
  uint32_t spend(uint32_t most);
  // The session is over and buried; its stream is the tunnel's.
  Websocket& open_tunnel(std::unique_ptr<net::Channel> replica, TunnelRecord record);
  // Idempotent.
  void close();

  // The worker's table.
  size_t index = 0;

 private:
  enum class Protocol : uint8_t { http1, http2 };

  void on_stream_open() override;
  size_t on_stream_data(std::span<const char> data) override;
  void on_stream_end() override;
  void on_stream_writable() override {}
  void on_stream_error(Error error) override;
  void on_tunnel_over() override { close(); }
  void on_deadline();
  void take_peer_facts();
  void join_crowd();
  bool admit();
  void begin_handshake();
  void end_handshake();
  bool speaks_for_others() const;
  bool over_the_limit();
  void begin(Protocol protocol);

  Worker& worker_;
  const std::shared_ptr<const ListenerRole> role_;
  // While the handshake lasts: it uses this one's certificates.
  std::shared_ptr<const Snapshot> snapshot_;
  std::string peer_ip_;
  SocketAddress peer_;
  protocol::ClientFacts facts_;
  std::unique_ptr<net::PeerFacts> facts_of_handshake_;               // what facts_ points to
  std::optional<std::list<ClientConnection*>::iterator> handshake_;  // in the worker's list
  IdleClients::Place place_;
  Crowds::Count* crowd_ = nullptr;
  std::unique_ptr<net::Stream> stream_;
  std::string first_bytes_;  // until they tell the protocol
  std::unique_ptr<ClientSession> session_;
  std::unique_ptr<Websocket> tunnel_;
  net::Timer<&ClientConnection::on_deadline> deadline_;
  uint32_t good_ = 0;     // answers, within bounds
  bool limited_ = false;  // counted in the ConnectionLimit
  bool refused_ = false;  // beyond it, and to be told so
  bool closed_ = false;
};

}  // namespace usher::proxy
