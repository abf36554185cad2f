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
  if (const uint32_t most = snapshot_->settings.limits.connections; most > 0) {
    limited_ = worker_.shared().connection_limit.enter(peer_ip_, most);
    if (!limited_) {
      worker_.shared().log.debug("too_many_connections", {{"client", peer_ip_}});
      worker_.count().errors[static_cast<size_t>(Errc::too_many_connections)].add();
      return close();
    }
  }
  deadline_.start(snapshot_->settings.timeouts.handshake);
  stream_->start();
}

void ClientConnection::on_stream_open() {
  codec_ = protocol::make_http1_server_codec(head_limits(*snapshot_));
  await_request(snapshot_->settings.timeouts.head);
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
        deadline_.start(snapshot_->settings.timeouts.head);
      }
      return false;
    case protocol::ServerEventKind::request: {
      stream_id_ = event->stream;
      begin_exchange();
      protocol::RequestHead head = codec_->take_request(stream_id_);
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

void ClientConnection::open_tunnel(std::unique_ptr<net::Stream> replica, TunnelRecord record) {
  phase_ = Phase::tunnel;
  deadline_.stop();
  codec_.reset();
  snapshot_.reset();  // a socket that lives for days keeps no old settings alive
  worker_.loop().bury(std::move(exchange_));
  tunnel_ = std::make_unique<Tunnel>(worker_, *this, std::move(stream_), std::move(replica),
                                     std::move(record));
  tunnel_->start();
}

void ClientConnection::on_stream_end() {
  if (phase_ == Phase::exchange) {
    return client_left({Errc::client_gone, Side::client, "the client closed the connection"});
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
  if (phase_ == Phase::handshake && error.code != Errc::client_gone) {
    worker_.count().errors[static_cast<size_t>(error.code)].add();
    worker_.shared().log.debug("handshake_failed",
                               {{"client", peer_ip_}, {"reason", to_string(error)}});
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
      worker_.count().errors[static_cast<size_t>(Errc::handshake_timeout)].add();
      return close();
    case Phase::receiving_head:
      return refuse(
          {Errc::head_timeout, Side::client, "the request's head did not arrive in time"});
    case Phase::exchange: return check_progress();
    case Phase::flushing: return check_flush();
    case Phase::waiting:
      // The response before may still be on its way to a slow client.
      if (stream_->queued() > 0) return check_flush();
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
  if (still_ >= looks_per_stall) return close();
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

void ClientConnection::go_away() { tunnel_ ? tunnel_->go_away() : cut(); }

void ClientConnection::cut() {
  if (phase_ == Phase::exchange && exchange_) {
    exchange_->on_client_gone({Errc::draining, Side::usher, "the front door is stopping"});
  }
  close();
}

void ClientConnection::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  deadline_.stop();
  worker_.count().connections.subtract();
  if (limited_) worker_.shared().connection_limit.leave(peer_ip_);
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
