#include "proxy/replica_connection.h"

#include <algorithm>

#include "protocol/http1_writer.h"

namespace usher::proxy {

ReplicaConnection::ReplicaConnection(net::Loop& loop, const routing::Replica& replica,
                                     std::unique_ptr<net::Transport> transport,
                                     const conf::UpstreamTimeouts& timeouts,
                                     protocol::HeadLimits response_limits,
                                     ReplicaConnectionUser& user)
    : loop_(loop),
      status_(replica.status),
      replica_id_(replica.id),
      timeouts_(timeouts),
      user_(&user),
      parser_(response_limits),
      deadline_(loop, *this) {
  net::StreamHandler& handler = *this;
  stream_ = std::make_unique<net::Stream>(loop, replica.address, std::move(transport), handler,
                                          Side::replica);
}

ReplicaConnection::~ReplicaConnection() { close(); }

void ReplicaConnection::connect() {
  count(true);
  deadline_.start(timeouts_.connect);
  stream_->start();
}

void ReplicaConnection::lend(const conf::UpstreamTimeouts& timeouts, ReplicaConnectionUser& user) {
  timeouts_ = timeouts;
  user_ = &user;
  keeper_ = nullptr;
  state_ = State::lent;
  reused_ = true;
  request_sent_ = heard_ = head_seen_ = response_done_ = false;
  interim_ = 0;
  deadline_.stop();
  count(true);
}

void ReplicaConnection::rest(Keeper& keeper) {
  user_ = nullptr;
  keeper_ = &keeper;
  state_ = State::idle;
  count(false);
  deadline_.start(timeouts_.keep_alive);
  stream_->resume_reading();
}

// in_flight counts the exchanges that a replica is serving: what balancing looks at.
void ReplicaConnection::count(bool lent) {
  if (lent == counted_) return;
  counted_ = lent;
  lent ? ++status_->in_flight : --status_->in_flight;
}

bool ReplicaConnection::reusable() const {
  return state_ == State::lent && response_done_ && request_sent_ && keep_alive_;
}

void ReplicaConnection::send_head(const protocol::RequestHead& head) {
  parser_.expect(head.method);
  request_body_ = head.body.kind;
  protocol::write_request_head(stream_->tail(), head);
  stream_->commit();
  if (request_body_ == protocol::BodyKind::none) request_sent_ = true;
  ++requests_;
  ++status_->requests;
  await_bytes();
}

void ReplicaConnection::send_data(std::span<const char> data) {
  if (request_body_ == protocol::BodyKind::chunked) {
    protocol::write_chunk_prefix(stream_->tail(), data.size());
    stream_->commit();
  }
  stream_->write(data);
  if (request_body_ == protocol::BodyKind::chunked) stream_->write(protocol::chunk_suffix);
  await_bytes();
}

void ReplicaConnection::send_end(const protocol::Headers& trailers) {
  if (request_body_ == protocol::BodyKind::chunked) {
    protocol::write_last_chunk(stream_->tail(), trailers);
    stream_->commit();
  }
  request_sent_ = true;
  if (!head_seen_) await_bytes();
}

void ReplicaConnection::await_bytes() {
  seen_out_ = stream_->bytes_out();
  waits_since_ = loop_.now();
  deadline_.start(head_seen_ ? timeouts_.between_bytes
                             : std::min(timeouts_.send, timeouts_.first_byte));
}

void ReplicaConnection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  count(false);
  deadline_.stop();
  user_ = nullptr;
  keeper_ = nullptr;
  if (!stream_) return;
  stream_->close();
  loop_.bury(std::move(stream_));
}

std::unique_ptr<net::Stream> ReplicaConnection::take_stream() {
  std::unique_ptr<net::Stream> stream = std::move(stream_);
  close();
  return stream;
}

void ReplicaConnection::on_stream_open() {
  state_ = State::lent;
  deadline_.stop();
  user_->on_replica_ready();
}

size_t ReplicaConnection::wanted() const {
  return state_ == State::lent && user_ ? user_->wanted() : SIZE_MAX;
}

size_t ReplicaConnection::on_stream_data(std::span<const char> data) {
  if (state_ == State::idle) {
    // Nothing was asked: whatever this is, it must not answer the next request.
    keeper_->on_idle_over(*this);
    return data.size();
  }
  heard_ = true;
  if (head_seen_) await_bytes();
  std::span<const char> input = data;
  while (state_ == State::lent && !response_done_ && !upgraded_) {
    // Paused by the user in the middle of what was read: the rest is offered again. An end that
    // needs no further byte is delivered all the same, because no byte may ever come.
    if (!stream_->reading() && !input.empty()) break;
    auto event = parser_.next(input);
    if (!event) {
      fail(std::move(event).error());
      return data.size();
    }
    if (!handle(*event, input.empty())) break;
  }
  // After an upgrade the rest belongs to whoever took the stream.
  return state_ == State::lent || upgraded_ ? data.size() - input.size() : data.size();
}

// False when there is nothing more to be had from the input.
bool ReplicaConnection::handle(const protocol::Parsed& event, bool was_last) {
  switch (event.kind) {
    case protocol::ParsedKind::need_more: return false;
    case protocol::ParsedKind::head: {
      protocol::ResponseHead head = parser_.take_head();
      status_->answered();
      if (head.interim() && ++interim_ > most_interim) {
        fail({Errc::replica_bad_response, Side::replica, "interim answers without end"});
        return false;
      }
      // None of them is an answer: the time to the first byte goes on.
      if (!head.interim()) {
        head_seen_ = true;
        await_bytes();
      }
      keep_alive_ = head.keep_alive;
      upgraded_ = head.status == 101;
      user_->on_replica_head(std::move(head));
      return true;
    }
    case protocol::ParsedKind::data: user_->on_replica_data(event.data); return true;
    case protocol::ParsedKind::end:
      response_done_ = true;
      // Bytes behind the response answer nothing: such a connection is not used again.
      keep_alive_ = keep_alive_ && was_last;
      deadline_.stop();
      user_->on_replica_end(parser_.take_trailers());
      return true;
  }
  return false;
}

void ReplicaConnection::on_stream_end() {
  if (state_ == State::idle) return keeper_->on_idle_over(*this);
  if (response_done_) return;
  if (parser_.complete_at_close()) {
    response_done_ = true;
    keep_alive_ = false;
    deadline_.stop();
    return user_->on_replica_end({});
  }
  const bool stale = reused_ && !heard_;
  fail({stale ? Errc::replica_closed_idle : Errc::replica_closed, Side::replica,
        heard_ ? "the replica closed the connection in the middle of its response"
               : "the replica closed the connection without a response"});
}

void ReplicaConnection::on_stream_writable() {
  if (state_ != State::lent) return;
  await_bytes();
  user_->on_replica_writable();
}

void ReplicaConnection::on_stream_hangup() {
  if (state_ == State::idle) keeper_->on_idle_over(*this);
}

void ReplicaConnection::on_stream_error(Error error) {
  if (state_ == State::idle) return keeper_->on_idle_over(*this);
  if (state_ == State::lent && reused_ && !heard_ && error.code == Errc::replica_closed) {
    error.code = Errc::replica_closed_idle;
  }
  // A replica that is not who it should be has got nothing: another one may.
  if (error.code == Errc::tls_handshake_failed) {
    error = {Errc::connect_failed, Side::replica, replica_id_ + ": " + error.detail};
  }
  fail(std::move(error));
}

void ReplicaConnection::on_deadline() {
  switch (state_) {
    case State::connecting:
      return fail({Errc::connect_timeout, Side::replica,
                   replica_id_ + ": no connection within " +
                       std::to_string(timeouts_.connect.count()) + " ms"});
    case State::lent:
      // A paused stream, and a request whose body is still to come, wait for the client, whose own
      // deadline watches it.
      if (!stream_->reading() || (!request_sent_ && stream_->queued() == 0)) return await_bytes();
      if (head_seen_) {
        return fail(
            {Errc::between_bytes_timeout, Side::replica, "the replica stopped in its response"});
      }
      return check_answer();
    case State::idle: return keeper_->on_idle_over(*this);
    case State::closed: return;
  }
}

// The time to the first byte counts from the request's end. Before that, a request that moves is on
// its way.
void ReplicaConnection::check_answer() {
  const bool sending = stream_->queued() > 0;
  if (sending && stream_->bytes_out() != seen_out_) return await_bytes();
  const Duration limit = sending ? timeouts_.send : timeouts_.first_byte;
  const auto left = limit - (loop_.now() - waits_since_);
  if (left.count() > 0) return deadline_.start(std::chrono::ceil<std::chrono::milliseconds>(left));
  fail({Errc::first_byte_timeout, Side::replica,
        sending ? "the replica takes no more of the request" : "the replica did not answer"});
}

void ReplicaConnection::fail(Error error) {
  if (state_ == State::closed) return;
  ReplicaConnectionUser* user = user_;
  close();
  user->on_replica_error(std::move(error));
}

}  // namespace usher::proxy
