#include "proxy/http1_session.h"

#include "proxy/own_response.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

// After a response that ends the connection the client's bytes are read and dropped for a while: a
// close with unread bytes would send a RST, and the client might lose the response.
constexpr std::chrono::milliseconds linger_limit{2000};
constexpr size_t most_lingered = 16 * 1024 * 1024;

protocol::HeadLimits head_limits(const Snapshot& snapshot) {
  return {.bytes = snapshot.settings.limits.head.bytes};
}

}  // namespace

Http1Session::Http1Session(Worker& worker, ClientConnection& connection)
    : worker_(worker),
      connection_(connection),
      snapshot_(worker.snapshot()),
      codec_(head_limits(*snapshot_)) {}

void Http1Session::start() {
  await_request(connection_.idle_limit(snapshot_->settings.timeouts.head));
}

// Says 429 to a connection beyond the limit, without an exchange, and ends it.
void Http1Session::turn_away(bool page) {
  const OwnResponse response = make_error_response(Errc::too_many_connections, page);
  send_head(response.head, true);
  send_data(response.body);
  send_end({});
  worker_.count().responses[response.head.status / 100].add();
  linger();
}

void Http1Session::await_request(std::chrono::milliseconds limit) {
  phase_ = Phase::waiting;
  connection_.become_idle();
  connection_.start_deadline(limit);
}

size_t Http1Session::on_stream_data(std::span<const char> data) {
  if (ending()) {
    lingered_ += data.size();
    if (lingered_ > most_lingered) connection_.close();
    return data.size();
  }
  std::span<const char> input = data;
  while (parse_one(input)) {
  }
  return ending() ? data.size() : data.size() - input.size();
}

// What waits for its replica holds little of its body.
size_t Http1Session::wanted() const {
  return exchange_ && exchange_->takes_body() ? SIZE_MAX : first_body;
}

// Takes one event from the input; false when it must wait: for bytes, for the exchange, for the
// client.
bool Http1Session::parse_one(std::span<const char>& input) {
  if (phase_ == Phase::over || ending()) return false;
  if (exchange_) {
    if (request_complete_) return false;  // a pipelined request waits for its turn
    if (request_has_body_ && !exchange_->takes_body()) {
      look_ahead(input);
      return false;
    }
  } else if (stream().above_high_mark()) {
    return false;
  }

  auto event = codec_.next(input);
  if (!event) {
    refuse(std::move(event).error());
    return false;
  }
  switch (event->kind) {
    case protocol::ServerEventKind::need_more:
      if (phase_ == Phase::waiting && !codec_.idle()) {
        phase_ = Phase::receiving_head;
        connection_.become_idle();
        receives_.emplace(worker_.count().reading);
        connection_.start_deadline(connection_.limit_of(snapshot_->settings.timeouts.head));
      }
      return false;
    case protocol::ServerEventKind::request: {
      protocol::RequestHead head = codec_.take_request();
      if (connection_.refused()) {
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
        exchange_->on_request_end(codec_.take_trailers());
      } else if (!codec_.reusable()) {
        linger();  // the response was over before its request
      }
      return true;
  }
  return false;
}

// A replica may act on a head alone: what has come of the body is judged before it is sent
// anything.
void Http1Session::look_ahead(std::span<const char> input) {
  Result<uint64_t> ahead = codec_.look_ahead(input);
  if (!ahead) return refuse(std::move(ahead).error());
  exchange_->on_request_ahead(*ahead);
}

void Http1Session::begin_exchange() {
  // Each request is served by what is believed when it comes.
  snapshot_ = worker_.snapshot();
  Requester& requester = *this;
  connection_.count_request();
  exchange_ = std::make_unique<Exchange>(worker_, requester, snapshot_);
  phase_ = Phase::exchange;
  connection_.become_busy();
  receives_.reset();
  watch_for_stall();
}

void Http1Session::watch_for_stall() {
  body_.restart();
  reader_.restart();
  look_again();
}

void Http1Session::look_again() {
  connection_.start_deadline(snapshot_->settings.timeouts.stall / Pace::looks_per_span);
}

Pace::Wanted Http1Session::wanted_progress() const {
  const conf::Settings& settings = snapshot_->settings;
  return Pace::at_rate(least_rate, settings.timeouts.stall);
}

// What cannot be read is refused, and nothing after it can be read either.
void Http1Session::refuse(Error error) {
  if (!exchange_) {
    if (connection_.refused()) return turn_away(false);
    begin_exchange();
  }
  exchange_->on_request_error(std::move(error));
}

void Http1Session::send_head(const protocol::ResponseHead& head, bool last) {
  good_ = is_good(head);
  codec_.write_head(head, last, stream().tail());
  stream().commit();
}

void Http1Session::send_data(std::span<const char> data) {
  while (!data.empty()) {
    const protocol::DataFrame frame = codec_.frame(data.size());
    if (frame.take == 0) return;  // more than the head announced: nobody could read it
    stream().write(frame.prefix);
    stream().write(data.first(frame.take));
    stream().write(frame.suffix);
    data = data.subspan(frame.take);
  }
}

void Http1Session::send_end(const protocol::Headers& trailers) {
  codec_.write_end(trailers, stream().tail());
  stream().commit();
}

void Http1Session::end_exchange(bool reuse) {
  if (phase_ == Phase::over) return;
  if (good_) connection_.count_good();
  worker_.loop().bury(std::move(exchange_));
  if (stream().closed()) return connection_.close();
  // A request that has not been read to its end is looked at again when it has.
  const bool spent = request_complete_ && !codec_.reusable();
  if (!reuse || spent) return linger();
  // A response that began before the drain has not told its client that it is the last one.
  await_request(connection_.idle_limit(snapshot_->settings.timeouts.keep_alive));
  stream().resume_reading();
}

void Http1Session::break_off() {
  if (phase_ == Phase::over) return;
  // A body whose framing shows what is missing (RFC 9112 section 8) keeps what is queued. One that
  // only the end delimits would be taken for whole: a RST, and in TLS no close_notify.
  if (codec_.ends_at_close()) stream().abort();
}

Websocket& Http1Session::open_tunnel(std::unique_ptr<net::Channel> replica, TunnelRecord record) {
  phase_ = Phase::over;
  worker_.loop().bury(std::move(exchange_));
  return connection_.open_tunnel(std::move(replica), std::move(record));
}

void Http1Session::on_stream_end() {
  if (phase_ == Phase::exchange) {
    return client_left({Errc::client_gone, Side::client, "the client closed the connection"});
  }
  if (phase_ == Phase::receiving_head) {
    connection_.note_failure(LogLevel::debug,
                             {Errc::client_gone, Side::client, "within a request's head"});
  }
  connection_.close();
}

// The client has closed and unread bytes stand before its end. With a request under way and nothing
// pipelined that means: it is gone.
void Http1Session::on_stream_hangup() {
  if (phase_ == Phase::exchange && !request_complete_) on_stream_end();
}

void Http1Session::on_stream_error(Error error) {
  if (phase_ == Phase::exchange) return client_left(std::move(error));
  if (phase_ == Phase::receiving_head) {
    connection_.note_failure(error.code == Errc::client_gone ? LogLevel::debug : LogLevel::info,
                             error);
  }
  connection_.close();
}

void Http1Session::client_left(Error error) {
  if (exchange_) exchange_->on_client_gone(std::move(error));
  connection_.close();
}

void Http1Session::on_stream_finished() {
  if (phase_ != Phase::flushing) return;
  phase_ = Phase::lingering;
  connection_.become_idle();
  connection_.start_deadline(linger_limit);
}

void Http1Session::on_stream_writable() {
  if (phase_ == Phase::exchange && exchange_) return exchange_->on_client_writable();
  if (phase_ == Phase::waiting) stream().resume_reading();
}

void Http1Session::on_deadline() {
  switch (phase_) {
    case Phase::receiving_head:
      return refuse(
          {Errc::head_timeout, Side::client, "the request's head did not arrive in time"});
    case Phase::exchange: return check_progress();
    case Phase::flushing: return check_flush();
    case Phase::waiting:
      // The response before may still be on its way to a slow client.
      if (stream().queued() > 0) return check_flush();
      connection_.note_failure(LogLevel::debug,
                               {Errc::idle, Side::client, "no request came in time"});
      if (worker_.draining()) return linger();
      return connection_.close();
    case Phase::lingering: return connection_.close();
    case Phase::over: return;
  }
}

// A body that stops moving: the client sends nothing though we read, or reads nothing though we
// write.
void Http1Session::check_progress() {
  const bool waits_for_body = !request_complete_ && exchange_->takes_body() && stream().reading();
  const bool waits_for_reader = stream().queued() > 0;
  const auto now = worker_.loop().now();
  const Pace::Wanted wanted = wanted_progress();
  const uint64_t out = stream().bytes_taken();
  const bool no_reader = reader_.stuck(out, waits_for_reader, wanted, now);
  const bool no_body = body_.stuck(stream().bytes_in() + out, waits_for_body, wanted, now);
  if (no_reader) {
    exchange_->on_client_stalled();
    if (phase_ != Phase::over)
      stream().abort();  // what the kernel holds for it has no taker either
    connection_.close();
  } else if (no_body) {
    exchange_->on_body_stalled();
  } else {
    look_again();
  }
}

// A client may take long for what is queued, as long as it takes some of it.
void Http1Session::check_flush() {
  if (reader_.stuck(stream().bytes_taken(), true, wanted_progress(), worker_.loop().now())) {
    connection_.note_failure(LogLevel::info, {Errc::client_stalled, Side::client,
                                              "the client did not take all it was sent"});
    return connection_.close();
  }
  look_again();
}

void Http1Session::linger() {
  phase_ = Phase::flushing;
  receives_.reset();
  lingered_ = 0;
  watch_for_stall();
  stream().finish();
  stream().resume_reading();
}

void Http1Session::drain(Duration grace) {
  if (phase_ == Phase::waiting && codec_.idle()) connection_.start_deadline(grace);
}

bool Http1Session::give_way() {
  if (stream().queued() > 0) return false;
  connection_.close();
  return true;
}

void Http1Session::break_exchanges() {
  if (phase_ == Phase::exchange) exchange_->on_drained();
}

void Http1Session::stop() {
  phase_ = Phase::over;
  if (exchange_) worker_.loop().bury(std::move(exchange_));
}

}  // namespace usher::proxy
