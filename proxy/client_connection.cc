#include "proxy/client_connection.h"

#include <algorithm>
#include <utility>

#include "proxy/http1_session.h"
#include "proxy/http2_session.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

constexpr std::chrono::milliseconds refusal_limit{5000};
// While its worker drains, a client that has not been told so may take this long to bring a
// request.
constexpr std::chrono::milliseconds draining_limit{2000};
// For each client address and cause one line in the log.
constexpr std::chrono::milliseconds log_interval{10'000};

}  // namespace

ClientConnection::ClientConnection(Worker& worker, std::shared_ptr<const ListenerRole> role, Fd fd,
                                   const SocketAddress& peer,
                                   std::unique_ptr<net::Transport> transport)
    : worker_(worker),
      role_(std::move(role)),
      snapshot_(worker.snapshot()),
      peer_ip_(peer.ip()),
      peer_(peer),
      deadline_(worker.loop(), *this) {
  facts_ = {.ip = peer_.ip_bytes(),
            .ip_text = peer_ip_,
            .secure = role_->tls,
            .local_port = role_->entrance.port,
            .remote_port = peer_.port(),
            .connection = worker.shared().connections.fetch_add(1, std::memory_order_relaxed) + 1};
  net::StreamHandler& handler = *this;
  stream_ =
      std::make_unique<net::Stream>(worker.loop(), std::move(fd), std::move(transport), handler);
  place_ = worker.idle().add(*this, worker.loop().now());
  worker.shared().descriptors.enter();
  worker.count().connections.add();
  role_->counters->accepted.fetch_add(1, std::memory_order_relaxed);
  role_->counters->connections.fetch_add(1, std::memory_order_relaxed);
}

ClientConnection::~ClientConnection() { close(); }

void ClientConnection::start() {
  if (!role_->proxy_protocol) join_crowd();
  if (!admit()) return;
  begin_handshake();
  deadline_.start(limit_of(worker_.snapshot()->settings.timeouts.handshake));
  stream_->start();
}

// False: it is closed.
bool ClientConnection::admit() {
  if (!over_the_limit()) return true;
  const uint32_t most = worker_.snapshot()->settings.limits.connections;
  note_failure(LogLevel::warning, {Errc::too_many_connections, Side::client,
                                   "limits.connections is " + std::to_string(most)});
  refused_ = worker_.refusals().take(worker_.loop().now());
  if (!refused_) close();
  return refused_;
}

void ClientConnection::begin_handshake() {
  if (!role_->tls && !role_->proxy_protocol) return;
  std::list<ClientConnection*>& all = worker_.handshakes();
  const uint32_t most = worker_.snapshot()->settings.limits.handshakes;
  if (most > 0 && all.size() >= most) all.front()->give_up_handshake();
  handshake_ = all.insert(all.end(), this);
}

void ClientConnection::end_handshake() {
  if (!handshake_) return;
  worker_.handshakes().erase(*handshake_);
  handshake_.reset();
}

void ClientConnection::give_up_handshake() {
  const uint32_t most = worker_.snapshot()->settings.limits.handshakes;
  note_failure(LogLevel::warning, {Errc::too_many_handshakes, Side::client,
                                   "limits.handshakes is " + std::to_string(most)});
  close();
}

// What the handshake found out, also where the client really is.
void ClientConnection::take_peer_facts() {
  facts_of_handshake_ = stream_->take_peer_facts();
  if (!facts_of_handshake_) return;
  const net::PeerFacts& found = *facts_of_handshake_;
  role_->counters->handshakes[static_cast<size_t>(found.tls)][found.resumed].fetch_add(
      1, std::memory_order_relaxed);
  facts_.unknown_name = found.unknown_name;
  facts_.tls_1_3 = found.tls == net::TlsVersion::tls_1_3;
  facts_.tls_cipher = found.cipher;
  const bool name_is_wanted = !found.server_name.empty() && worker_.snapshot()->keeps_asked_names;
  facts_.certificate_subject = found.subject;
  facts_.certificate_fingerprint = found.fingerprint;
  // Most connections have nothing to remember of it for as long as they live.
  if (!found.source) {
    const bool nobody = found.subject.empty() && found.fingerprint.empty();
    if (nobody) facts_.certificate_subject = facts_.certificate_fingerprint = {};
    if (nobody && !name_is_wanted) facts_of_handshake_.reset();
    return;
  }
  peer_ = *found.source;
  peer_ip_ = peer_.ip();
  facts_.ip = peer_.ip_bytes();
  facts_.ip_text = peer_ip_;
  facts_.remote_port = peer_.port();
  if (found.destination) facts_.local_port = found.destination->port();
}

std::string_view ClientConnection::asked_name() const {
  return facts_of_handshake_ ? std::string_view(facts_of_handshake_->server_name)
                             : std::string_view();
}

std::string ClientConnection::server_address() const {
  const bool told = facts_of_handshake_ && facts_of_handshake_->destination;
  return (told ? *facts_of_handshake_->destination : stream_->local_address()).ip();
}

std::chrono::milliseconds ClientConnection::limit_of(conf::Millis usual) const {
  return refused_ ? std::min(usual, refusal_limit) : usual;
}

std::chrono::milliseconds ClientConnection::idle_limit(conf::Millis usual) const {
  return limit_of(worker_.draining() ? std::min(usual, draining_limit) : usual);
}

// A trusted proxy is not a client, and the clients of a unix socket have no address.
bool ClientConnection::speaks_for_others() const {
  return peer_.is_unix() || worker_.snapshot()->any_trusts(facts_.ip);
}

void ClientConnection::join_crowd() {
  if (speaks_for_others()) return;
  crowd_ = &worker_.shared().crowds.of(facts_.ip);
  crowd_->fetch_add(1, std::memory_order_relaxed);
}

void ClientConnection::become_idle() { worker_.idle().make_idle(place_, worker_.loop().now()); }

void ClientConnection::become_busy() { worker_.idle().make_busy(place_); }

bool ClientConnection::give_way() {
  if (session_) return session_->give_way();
  close();
  return true;
}

bool ClientConnection::over_the_limit() {
  const uint32_t most = worker_.snapshot()->settings.limits.connections;
  if (most == 0 || speaks_for_others()) return false;
  limited_ = worker_.shared().connection_limit.enter(peer_ip_, most);
  return !limited_;
}

void ClientConnection::note_flood() {
  if (speaks_for_others() || worker_.make_good(*this)) return;
  worker_.flooders().add(facts_.ip, worker_.loop().now());
}

uint32_t ClientConnection::credit() const {
  return tunnel_ || (session_ && session_->in_good_standing()) ? good_ : 0;
}

uint32_t ClientConnection::spend(uint32_t most) {
  const uint32_t spent = std::min(most, good_);
  good_ -= spent;
  return spent;
}

void ClientConnection::note_failure(LogLevel level, const Error& error) {
  worker_.count().errors[static_cast<size_t>(error.code)].add();
  const Shared& shared = worker_.shared();
  if (!shared.log.enabled(level)) return;
  const std::string key = std::string(name_of(error.code)) + ' ' + peer_ip_;
  const auto held_back = shared.throttle.admit(key, log_interval, worker_.loop().now());
  if (!held_back) return;
  shared.log.write(level, "connection_failed",
                   {{"client", peer_ip_}, {"error", to_string(error)}, {"held_back", *held_back}});
}

void ClientConnection::on_stream_open() {
  snapshot_.reset();
  end_handshake();
  take_peer_facts();
  if (role_->proxy_protocol) join_crowd();
  // A balancer is no client: the one behind it is counted.
  if (role_->proxy_protocol && worker_.flooders().has(facts_.ip, worker_.loop().now())) {
    worker_.count().flooders_refused.add();
    return close();
  }
  if (role_->proxy_protocol && !admit()) return;
  const bool offers_http1 = !role_->alpn.known("http/1.1").empty();
  const bool offers_http2 = !role_->alpn.known("h2").empty();
  if (role_->tls) {
    const bool http2 = stream_->transport().protocol() == "h2" || !offers_http1;
    return begin(http2 ? Protocol::http2 : Protocol::http1);
  }
  if (!offers_http2) return begin(Protocol::http1);
  if (!offers_http1) return begin(Protocol::http2);
  deadline_.start(idle_limit(worker_.snapshot()->settings.timeouts.head));
}

void ClientConnection::begin(Protocol protocol) {
  if (protocol == Protocol::http2) {
    session_ = std::make_unique<Http2Session>(worker_, *this);
  } else {
    session_ = std::make_unique<Http1Session>(worker_, *this);
  }
  stream_->set_handler(*session_);
  session_->start();
}

// With prior knowledge a client begins with what no request of HTTP/1.1 begins with (RFC 9113
// section 3.4).
size_t ClientConnection::on_stream_data(std::span<const char> data) {
  constexpr std::string_view preface = "PRI ";
  const size_t seen = first_bytes_.size();
  first_bytes_.append(data.data(), std::min(data.size(), preface.size() - seen));
  const bool fits = preface.starts_with(first_bytes_);
  if (fits && first_bytes_.size() < preface.size()) return data.size();
  const std::string first = std::exchange(first_bytes_, {});
  begin(fits ? Protocol::http2 : Protocol::http1);
  // What came before these data was too little for any session to do more with than to keep it.
  net::StreamHandler& session = *session_;
  if (seen > 0) session.on_stream_data(std::string_view(first).substr(0, seen));
  return closed_ ? data.size() : session.on_stream_data(data);
}

void ClientConnection::on_stream_end() { close(); }

void ClientConnection::on_stream_error(Error error) {
  note_failure(error.code == Errc::client_gone ? LogLevel::debug : LogLevel::info, error);
  close();
}

void ClientConnection::on_deadline() {
  if (session_) return session_->on_deadline();
  note_failure(LogLevel::info,
               {Errc::handshake_timeout, Side::client, "the handshake did not end in time"});
  close();
}

Websocket& ClientConnection::open_tunnel(std::unique_ptr<net::Channel> replica,
                                         TunnelRecord record) {
  deadline_.stop();
  worker_.loop().bury(std::move(session_));
  Websocket::Owner& owner = *this;
  tunnel_ =
      make_websocket(worker_, owner, std::move(stream_), std::move(replica), std::move(record));
  tunnel_->start();
  return *tunnel_;
}

void ClientConnection::drain(Duration grace) {
  if (session_) session_->drain(grace);
}

void ClientConnection::break_exchanges() {
  if (session_) session_->break_exchanges();
}

void ClientConnection::cut() {
  break_exchanges();
  close();
}

void ClientConnection::close() {
  if (closed_) return;
  closed_ = true;
  deadline_.stop();
  end_handshake();
  worker_.idle().remove(place_);
  worker_.shared().descriptors.leave();
  if (crowd_) crowd_->fetch_sub(1, std::memory_order_relaxed);
  worker_.count().connections.subtract();
  role_->counters->connections.fetch_sub(1, std::memory_order_relaxed);
  if (limited_) worker_.shared().connection_limit.leave(peer_ip_);
  if (refused_) worker_.refusals().give_back();
  if (stream_) stream_->close();
  if (session_) {
    session_->stop();
    worker_.loop().bury(std::move(session_));
  }
  if (stream_) worker_.loop().bury(std::move(stream_));
  if (tunnel_) {
    tunnel_->close();
    worker_.loop().bury(std::move(tunnel_));
  }
  worker_.remove(*this);
}

}  // namespace usher::proxy
