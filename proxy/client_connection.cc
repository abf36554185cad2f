#include "proxy/client_connection.h"

#include "proxy/worker.h"

namespace usher::proxy {
namespace {

// After a response that ends the connection the client's bytes are read and dropped for a while: a
// close with unread bytes would send a RST, and the client might lose the response.
constexpr std::chrono::milliseconds linger_limit{2000};
constexpr size_t most_lingered = 16 * 1024 * 1024;
// A stall is noticed within a quarter of its limit.
constexpr int looks_per_stall = 4;

// Who is refused is not waited for as long as others.
constexpr std::chrono::milliseconds refusal_limit{5000};
// For each client address and cause one line in the log.
constexpr std::chrono::milliseconds log_interval{10'000};

protocol::HeadLimits head_limits(const Snapshot& snapshot) {
  return {.bytes = snapshot.settings.limits.head.bytes};
}

}  // namespace

ClientConnection::ClientConnection(Worker& worker, const ListenerRole& role, Fd fd,
                                   const SocketAddress& peer,
                                   std::unique_ptr<net::Transport> transport)
    : worker_(worker),
      role_(role),
      snapshot_(worker.snapshot()),
      peer_ip_(peer.ip()),
      peer_(peer),
      deadline_(worker.loop(), *this) {
  facts_ = {
      .ip = peer_.ip_bytes(), .ip_text = peer_ip_, .secure = role.tls, .local_port = role.port};
  net::StreamHandler& handler = *this;
  stream_ =
      std::make_unique<net::Stream>(worker.loop(), std::move(fd), std::move(transport), handler);
  worker.count().connections.add();
}

ClientConnection::~ClientConnection() { close(); }

void ClientConnection::start() {
  if (!admit()) return;
  begin_handshake();
  if (phase_ == Phase::closed) return;
  deadline_.start(limit_of(snapshot_->settings.timeouts.handshake));
  stream_->start();
}

// False: it is closed.
bool ClientConnection::admit() {
  if (!over_the_limit()) return true;
  note_failure(LogLevel::warning,
               {Errc::too_many_connections, Side::client,
                "limits.connections is " + std::to_string(snapshot_->settings.limits.connections)});
  refused_ = worker_.refusals().take(worker_.loop().now());
  if (!refused_) close();
  return refused_;
}

void ClientConnection::begin_handshake() {
  if (!role_.tls && !role_.proxy_protocol) return;
  std::list<ClientConnection*>& all = worker_.handshakes();
  handshake_ = all.insert(all.end(), this);
  const uint32_t most = snapshot_->settings.limits.handshakes;
  if (most > 0 && all.size() > most) all.front()->give_up_handshake();
}

void ClientConnection::end_handshake() {
  if (!handshake_) return;
  worker_.handshakes().erase(*handshake_);
  handshake_.reset();
}

void ClientConnection::give_up_handshake() {
  note_failure(LogLevel::warning,
               {Errc::too_many_handshakes, Side::client,
                "limits.handshakes is " + std::to_string(snapshot_->settings.limits.handshakes)});
  close();
}

// What the handshake found out, also where the client really is.
void ClientConnection::take_peer_facts() {
  facts_of_handshake_ = stream_->take_peer_facts();
  if (!facts_of_handshake_) return;
  const net::PeerFacts& found = *facts_of_handshake_;
  facts_.unknown_name = found.unknown_name;
  facts_.certificate_subject = found.subject;
  facts_.certificate_fingerprint = found.fingerprint;
  if (!found.source) return;
  peer_ = *found.source;
  peer_ip_ = peer_.ip();
  facts_.ip = peer_.ip_bytes();
  facts_.ip_text = peer_ip_;
  if (found.destination) facts_.local_port = found.destination->port();
}

std::chrono::milliseconds ClientConnection::limit_of(conf::Millis usual) const {
  return refused_ ? std::min(usual, refusal_limit) : usual;
}

// A trusted proxy is not a client, and the clients of a unix socket have no address.
bool ClientConnection::over_the_limit() {
  const uint32_t most = snapshot_->settings.limits.connections;
  if (most == 0 || peer_.is_unix() || snapshot_->forwarding.trusts(facts_.ip)) return false;
  limited_ = worker_.shared().connection_limit.enter(peer_ip_, most);
  return !limited_;
}

// Says 429 to a connection beyond the limit, without an exchange, and ends it.
void ClientConnection::turn_away(bool page) {
  const OwnResponse response = make_error_response(Errc::too_many_connections, page);
  send_head(response.head, true);
  send_data(response.body);
  send_end({});
  worker_.count().responses[response.head.status / 100].add();
  linger();
}

// What ends a connection before it has an exchange has no line in the access log.
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
  end_handshake();
  take_peer_facts();
  // A balancer is no client: the one behind it is counted.
  if (role_.proxy_protocol && !admit()) return;
  codec_ = protocol::make_http1_server_codec(head_limits(*snapshot_));
  await_request(limit_of(snapshot_->settings.timeouts.head));
}

void ClientConnection::await_request(std::chrono::milliseconds limit) {
  phase_ = Phase::waiting;
  deadline_.start(limit);
}

size_t ClientConnection::on_stream_data(std::span<const char> data) {
  if (ending()) {
    lingered_ += data.size();
    if (lingered_ > most_lingered) close();
    return data.size();
  }
  std::span<const char> input = data;
  while (parse_one(input)) {
  }
  if (phase_ == Phase::closed || ending()) return data.size();
  return data.size() - input.size();
}

// Takes one event from the input; false when it must wait: for bytes, for the exchange, for the
// client.
bool ClientConnection::parse_one(std::span<const char>& input) {
  if (phase_ == Phase::closed || ending() || phase_ == Phase::tunnel) return false;
  if (exchange_) {
    if (request_complete_) return false;  // a pipelined request waits for its turn
    if (request_has_body_ && !exchange_->takes_body()) return false;
  } else if (stream_->above_high_mark()) {
    return false;
  }

  auto event = codec_->next(input);
  if (!event) {
    refuse(std::move(event).error());
    return false;
  }
  switch (event->kind) {
    case protocol::ServerEventKind::need_more:
      if (phase_ == Phase::waiting && !codec_->idle()) {
        phase_ = Phase::receiving_head;
        deadline_.start(limit_of(snapshot_->settings.timeouts.head));
      }
      return false;
    case protocol::ServerEventKind::request: {
      stream_id_ = event->stream;
      protocol::RequestHead head = codec_->take_request(stream_id_);
      if (refused_) {
        turn_away(wants_page(head));
        return false;
      }
      begin_exchange();
      request_has_body_ = head.body.kind == protocol::BodyKind::chunked || head.body.length > 0;
      request_complete_ = false;
      exchange_->on_request_head(std::move(head));
      return true;
    }
    case protocol::ServerEventKind::data: exchange_->on_request_data(event->data); return true;
    case protocol::ServerEventKind::end:
      request_complete_ = true;
      if (exchange_) {
        exchange_->on_request_end(codec_->take_trailers(stream_id_));
      } else if (!codec_->reusable()) {
        linger();  // the response was over before its request
      }
      return true;
  }
  return false;
}

void ClientConnection::begin_exchange() {
  // Each request is served by what is believed when it comes.
  snapshot_ = worker_.snapshot();
  exchange_ = std::make_unique<Exchange>(worker_, *this, snapshot_);
  phase_ = Phase::exchange;
  watch_for_stall();
}

void ClientConnection::watch_for_stall() {
  seen_in_ = stream_->bytes_in();
  seen_out_ = stream_->bytes_out();
  still_ = 0;
  deadline_.start(snapshot_->settings.timeouts.stall / looks_per_stall);
}

// What cannot be read is refused, and nothing after it can be read either.
void ClientConnection::refuse(Error error) {
  if (!exchange_) {
    stream_id_ = codec_->error_stream();
    if (refused_) return turn_away(false);
    begin_exchange();
  }
  exchange_->on_request_error(std::move(error));
}

void ClientConnection::send_head(const protocol::ResponseHead& head, bool close) {
  codec_->write_head(stream_id_, head, close, stream_->tail());
  stream_->commit();
}

void ClientConnection::send_data(std::span<const char> data) {
  while (!data.empty()) {
    const protocol::DataFrame frame = codec_->frame(stream_id_, data.size());
    if (frame.take == 0) return;  // more than the head announced: nobody could read it
    stream_->write(frame.prefix);
    stream_->write(data.first(frame.take));
    stream_->write(frame.suffix);
    data = data.subspan(frame.take);
  }
}

void ClientConnection::send_end(const protocol::Headers& trailers) {
  codec_->write_end(stream_id_, trailers, stream_->tail());
  stream_->commit();
}

void ClientConnection::end_exchange(bool reuse) {
  if (phase_ == Phase::closed) return;
  worker_.loop().bury(std::move(exchange_));
  if (stream_->closed()) return close();
  // A request that has not been read to its end is looked at again when it has.
  const bool spent = request_complete_ && !codec_->reusable();
  if (!reuse || worker_.draining() || spent) return linger();
  await_request(snapshot_->settings.timeouts.keep_alive);
  stream_->resume_reading();
}

void ClientConnection::break_off() {
  if (phase_ == Phase::closed) return;
  // A body whose framing shows what is missing (RFC 9112 section 8) keeps what is queued. One that
  // only the end delimits would be taken for whole: a RST, and in TLS no close_notify.
  if (codec_->ends_at_close()) stream_->abort();
}

Websocket& ClientConnection::open_tunnel(std::unique_ptr<net::Stream> replica,
                                         TunnelRecord record) {
  phase_ = Phase::tunnel;
  deadline_.stop();
  codec_.reset();
  snapshot_.reset();  // a socket that lives for days keeps no old settings alive
  worker_.loop().bury(std::move(exchange_));
  Websocket::Owner& owner = *this;
  tunnel_ =
      make_websocket(worker_, owner, std::move(stream_), std::move(replica), std::move(record));
  tunnel_->start();
  return *tunnel_;
}

void ClientConnection::on_stream_end() {
  if (phase_ == Phase::exchange) {
    return client_left({Errc::client_gone, Side::client, "the client closed the connection"});
  }
  if (phase_ == Phase::receiving_head) {
    note_failure(LogLevel::debug, {Errc::client_gone, Side::client, "within a request's head"});
  }
  close();
}

// The client has closed and unread bytes stand before its end. With a request under way and nothing
// pipelined that means: it is gone.
void ClientConnection::on_stream_hangup() {
  if (phase_ == Phase::exchange && !request_complete_) on_stream_end();
}

void ClientConnection::on_stream_error(Error error) {
  if (phase_ == Phase::exchange) return client_left(std::move(error));
  if (phase_ == Phase::handshake || phase_ == Phase::receiving_head) {
    note_failure(error.code == Errc::client_gone ? LogLevel::debug : LogLevel::info, error);
  }
  close();
}

void ClientConnection::client_left(Error error) {
  if (exchange_) exchange_->on_client_gone(std::move(error));
  close();
}

void ClientConnection::on_stream_finished() {
  if (phase_ != Phase::flushing) return;
  phase_ = Phase::lingering;
  deadline_.start(linger_limit);
}

void ClientConnection::on_stream_writable() {
  if (phase_ == Phase::exchange && exchange_) return exchange_->on_client_writable();
  if (phase_ == Phase::waiting) stream_->resume_reading();
}

void ClientConnection::on_deadline() {
  switch (phase_) {
    case Phase::handshake:
      note_failure(LogLevel::info,
                   {Errc::handshake_timeout, Side::client, "the handshake did not end in time"});
      return close();
    case Phase::receiving_head:
      return refuse(
          {Errc::head_timeout, Side::client, "the request's head did not arrive in time"});
    case Phase::exchange: return check_progress();
    case Phase::flushing: return check_flush();
    case Phase::waiting:
      // The response before may still be on its way to a slow client.
      if (stream_->queued() > 0) return check_flush();
      note_failure(LogLevel::debug, {Errc::idle, Side::client, "no request came in time"});
      return close();
    case Phase::lingering: return close();
    case Phase::tunnel:
    case Phase::closed: return;
  }
}

// A body that stops moving: the client sends nothing though we read, or reads nothing though we
// write.
void ClientConnection::check_progress() {
  const bool waits_for_body = !request_complete_ && exchange_->takes_body() && stream_->reading();
  const bool waits_for_reader = stream_->queued() > 0;
  const bool moved_in = stream_->bytes_in() != seen_in_;
  const bool moved_out = stream_->bytes_out() != seen_out_;
  seen_in_ = stream_->bytes_in();
  seen_out_ = stream_->bytes_out();
  const bool stuck =
      (waits_for_body && !moved_in && !moved_out) || (waits_for_reader && !moved_out);
  still_ = stuck ? static_cast<uint8_t>(still_ + 1) : 0;
  if (still_ < looks_per_stall) {
    deadline_.start(snapshot_->settings.timeouts.stall / looks_per_stall);
  } else if (waits_for_reader) {
    exchange_->on_client_stalled();
    if (stream_) stream_->abort();  // what the kernel holds for it has no taker either
    close();
  } else {
    exchange_->on_body_stalled();
  }
}

// A client may take long for what is queued, as long as it takes some of it.
void ClientConnection::check_flush() {
  const bool moved = stream_->bytes_out() != seen_out_;
  seen_out_ = stream_->bytes_out();
  still_ = moved ? 0 : static_cast<uint8_t>(still_ + 1);
  if (still_ >= looks_per_stall) {
    note_failure(LogLevel::info,
                 {Errc::client_stalled, Side::client, "the client did not take all it was sent"});
    return close();
  }
  deadline_.start(snapshot_->settings.timeouts.stall / looks_per_stall);
}

void ClientConnection::linger() {
  phase_ = Phase::flushing;
  lingered_ = 0;
  watch_for_stall();
  stream_->finish();
  stream_->resume_reading();
}

void ClientConnection::drain() {
  // A connection that waits for its first bytes has a request on its way; it gets its deadline.
  if (phase_ == Phase::waiting && codec_->idle()) linger();
}

void ClientConnection::break_exchange() {
  if (phase_ != Phase::exchange) return;
  exchange_->on_drained();
}

void ClientConnection::cut() {
  break_exchange();
  close();
}

void ClientConnection::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  deadline_.stop();
  end_handshake();
  worker_.count().connections.subtract();
  if (limited_) worker_.shared().connection_limit.leave(peer_ip_);
  if (refused_) worker_.refusals().give_back();
  if (stream_) {
    stream_->close();
    worker_.loop().bury(std::move(stream_));
  }
  if (exchange_) worker_.loop().bury(std::move(exchange_));
  if (tunnel_) {
    tunnel_->close();
    worker_.loop().bury(std::move(tunnel_));
  }
  worker_.remove(*this);
}

}  // namespace usher::proxy
