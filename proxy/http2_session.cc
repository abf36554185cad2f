#include "proxy/http2_session.h"

#include <algorithm>
#include <utility>

#include "proxy/own_response.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

// As in HTTP/1.1: a close with unread bytes would send a RST, and the client might lose the end.
constexpr std::chrono::milliseconds linger_limit{2000};
constexpr size_t most_lingered = 16 * 1024 * 1024;
// For the answer to the ping that tells that a client knows of the end.
constexpr std::chrono::milliseconds announce_limit{1000};

protocol::Http2Limits limits_of(const conf::Settings& settings) {
  return {.head = {.bytes = settings.limits.head.bytes},
          .streams = settings.http2.max_concurrent_streams,
          .window = static_cast<uint32_t>(settings.http2.window.bytes),
          .first_window = first_body,
          .resets = settings.http2.max_resets,
          .control_frames = settings.http2.max_control_frames,
          .extended_connect = settings.http2.extended_connect};
}

Error why_closed(uint32_t code) {
  return {Errc::client_gone, Side::client,
          "the client reset the stream (" + std::to_string(code) + ")"};
}

}  // namespace

Http2Session::Http2Session(Worker& worker, ClientConnection& connection)
    : worker_(worker),
      connection_(connection),
      snapshot_(worker.snapshot()),
      codec_(limits_of(snapshot_->settings)),
      began_(worker.loop().now()) {}

Http2Session::~Http2Session() {
  if (turn_asked_) worker_.loop().forget(*this);
}

void Http2Session::start() {
  connection_.start_deadline(connection_.idle_limit(snapshot_->settings.timeouts.head));
  flush_soon();
}

// --- From the client
// --------------------------------------------------------------------------------

size_t Http2Session::on_stream_data(std::span<const char> data) {
  if (ending()) {
    lingered_ += data.size();
    if (lingered_ > most_lingered) connection_.close();
    return data.size();
  }
  // A client that does not read what it is sent is not read either.
  if (stream().above_high_mark()) return 0;
  Outcome received = codec_.receive(data, worker_.loop().now());
  act();
  if (phase_ == Phase::over) return data.size();
  if (!received) {
    fail(std::move(received).error());
    return data.size();
  }
  flush_soon();
  return data.size();
}

void Http2Session::act() {
  std::vector<protocol::Http2Event> events = std::move(events_);
  codec_.take_events(events);
  for (const protocol::Http2Event& event : events) {
    if (phase_ == Phase::over) break;
    act_on(event);
  }
  events_ = std::move(events);  // its memory
}

void Http2Session::act_on(const protocol::Http2Event& event) {
  if (event.kind == protocol::Http2EventKind::request) return begin(event.stream);
  if (event.kind == protocol::Http2EventKind::pong) {
    if (announced_ && phase_ == Phase::open) end();
    return;
  }
  const auto found = streams_.find(event.stream);
  if (found == streams_.end()) {
    if (event.kind == protocol::Http2EventKind::closed) codec_.release(event.stream);
    return;
  }
  Http2Stream& stream = *found->second;
  switch (event.kind) {
    case protocol::Http2EventKind::data: return stream.on_data(event.data);
    case protocol::Http2EventKind::end: return stream.on_end();
    case protocol::Http2EventKind::writable: return stream.on_writable();
    case protocol::Http2EventKind::sent:
      if (stream.good()) connection_.count_good();
      return stream.on_sent();
    case protocol::Http2EventKind::closed: return stream.on_closed(why_closed(event.code));
    case protocol::Http2EventKind::request:
    case protocol::Http2EventKind::pong: return;
  }
}

void Http2Session::begin(protocol::StreamId id) {
  if (codec_.closed(id)) return;  // taken back in the same breath
  if (!std::exchange(served_, true) && worker_.draining()) drain({});
  auto request = codec_.take_request(id);
  if (connection_.refused()) return turn_away(id, request && wants_page(*request));
  if (!take_descriptor()) {
    request = Error{Errc::out_of_descriptors, Side::usher, "too many requests on one connection"};
  }
  Http2Stream& stream = *(streams_[id] = std::make_unique<Http2Stream>(*this, id));
  if (std::exchange(idle_, false)) {
    connection_.become_busy();
    watch();
  }
  stream.on_request(std::move(request));
  const uint32_t most = snapshot_->settings.limits.connection_requests;
  if (most > 0 && connection_.facts().requests >= most) drain({});
}

// The connection's share has one for its first request; each further one is to be had.
bool Http2Session::take_descriptor() {
  if (streams_.empty()) return true;
  if (!worker_.shared().descriptors.take_more(more_)) return false;
  ++more_;
  return true;
}

// Says 429 on a connection beyond the limit, without an exchange, and ends it.
void Http2Session::turn_away(protocol::StreamId id, bool page) {
  const OwnResponse response = make_error_response(Errc::too_many_connections, page);
  codec_.send_head(id, response.head);
  codec_.send_data(id, response.body);
  codec_.send_end(id, {});
  codec_.refuse_rest(id);
  worker_.count().responses[response.head.status / 100].add();
  end();
  flush_soon();
}

void Http2Session::forget(Http2Stream& stream) {
  if (phase_ == Phase::over) return;
  const auto found = streams_.find(stream.id());
  if (found == streams_.end()) return;
  codec_.release(stream.id());
  worker_.loop().bury(std::move(found->second));
  streams_.erase(found);
  if (more_ > 0 && more_ >= streams_.size()) {
    --more_;
    worker_.shared().descriptors.give_back(1);
  }
  if (!streams_.empty()) return;
  idle_ = true;
  connection_.become_idle();
  if (phase_ == Phase::open && !announced_)
    connection_.start_deadline(snapshot_->settings.timeouts.keep_alive);
  flush_soon();  // it may be over
}

void Http2Session::on_stream_end() {
  if (ending()) return connection_.close();
  close({Errc::client_gone, Side::client, "the client closed the connection"});
}

void Http2Session::on_stream_error(Error error) {
  if (streams_.empty() && served_) return connection_.close();
  if (streams_.empty()) {
    connection_.note_failure(error.code == Errc::client_gone ? LogLevel::debug : LogLevel::info,
                             error);
  }
  close(std::move(error));
}

// The client's mistake or its malice: it is told, and everything ends.
void Http2Session::fail(Error error) {
  connection_.note_failure(error.code == Errc::http2_error ? LogLevel::info : LogLevel::warning,
                           error);
  if (error.code != Errc::http2_error) {
    flooded_ = true;
    connection_.note_flood();
  }
  for (Http2Stream* stream : all_streams())
    stream->on_closed({Errc::client_gone, Side::client, to_string(error)});
  if (phase_ != Phase::over) finish();
}

// The streams, out of reach of what ending one of them does to the others.
std::vector<Http2Stream*> Http2Session::all_streams() const {
  std::vector<Http2Stream*> all;
  all.reserve(streams_.size());
  for (const auto& [id, stream] : streams_)
    all.push_back(stream.get());
  return all;
}

void Http2Session::close(Error error) {
  for (Http2Stream* stream : all_streams())
    stream->on_closed(error);
  connection_.close();
}

// --- To the client
// ----------------------------------------------------------------------------------

void Http2Session::flush_soon() {
  if (std::exchange(turn_asked_, true)) return;
  worker_.loop().at_turn_end(*this);
}

void Http2Session::act_soon(protocol::StreamId stream) {
  acting_.push_back(stream);
  flush_soon();
}

void Http2Session::on_turn_end() {
  turn_asked_ = false;
  if (phase_ == Phase::over) return;
  const std::vector<protocol::StreamId> acting = std::exchange(acting_, {});
  for (const protocol::StreamId id : acting) {
    const auto found = streams_.find(id);
    if (found != streams_.end()) found->second->on_turn();
    if (phase_ == Phase::over) return;
  }
  flush();
}

void Http2Session::flush() {
  if (ending()) return;
  while (codec_.has_output() && !stream().above_high_mark()) {
    if (!codec_.pull(stream().tail(), net::Stream::high_mark)) break;
    stream().commit();
  }
  act();
  if (phase_ == Phase::over || ending()) return;
  if (auto failure = codec_.take_failure()) return fail(*std::move(failure));
  if (codec_.over() || (phase_ == Phase::ending && streams_.empty())) finish();
}

void Http2Session::on_stream_writable() {
  if (ending()) return;
  flush_soon();
  stream().resume_reading();
}

// --- Deadlines and the end
// --------------------------------------------------------------------------

void Http2Session::look_again() {
  connection_.start_deadline(snapshot_->settings.timeouts.stall / Pace::looks_per_span);
}

void Http2Session::watch() {
  reader_.restart();
  if (announced_ && phase_ == Phase::open) return;  // the answer to the ping is waited for
  look_again();
}

void Http2Session::on_deadline() {
  switch (phase_) {
    case Phase::open:
      if (announced_) return end();
      if (!idle_) return look();
      connection_.note_failure(
          LogLevel::debug, {codec_.receiving_head() ? Errc::head_timeout : Errc::idle, Side::client,
                            "no request came in time"});
      end();
      return finish();
    case Phase::ending:
    case Phase::flushing: return look();
    case Phase::lingering: return connection_.close();
    case Phase::over: return;
  }
}

// What the client lets in of the connection is judged as a whole, because its streams take turns; a
// stream that it lets nothing of in is judged alone.
void Http2Session::look() {
  const conf::Settings& settings = snapshot_->settings;
  const auto now = worker_.loop().now();
  const auto wanted = Pace::at_rate(least_rate, settings.timeouts.stall);
  const bool waits = stream().queued() > 0 || std::ranges::any_of(streams_, [](const auto& each) {
                       return each.second->waits_its_turn();
                     });
  // What is on its way has not been taken yet.
  const uint64_t sent = codec_.sent_in_all();
  const uint64_t on_its_way = stream().queued() + stream().bytes_out() - stream().bytes_taken();
  if (reader_.stuck(sent - std::min(sent, on_its_way), waits, wanted, now)) return give_up();
  if (!codec_.acknowledged() && now - began_ > std::chrono::milliseconds(settings.timeouts.head))
    return fail({Errc::http2_error, Side::client, "it does not acknowledge our settings"});
  if (!ending()) {
    for (Http2Stream* each : all_streams()) {
      each->look(wanted);
      if (phase_ == Phase::over) return;
    }
  }
  look_again();
}

void Http2Session::give_up() {
  connection_.note_failure(LogLevel::info, {Errc::client_stalled, Side::client,
                                            "the client did not take all it was sent"});
  for (Http2Stream* each : all_streams())
    each->on_closed({Errc::client_stalled, Side::client, "the client stopped reading"});
  if (phase_ == Phase::over) return;
  stream().abort();  // what the kernel holds for it has no taker either
  connection_.close();
}

// RFC 9113 section 6.8: in two steps, so that no request that is on its way is lost.
void Http2Session::drain(Duration) {
  if (phase_ != Phase::open || announced_) return;
  announced_ = true;
  codec_.announce_end();
  codec_.ping();
  connection_.start_deadline(announce_limit);
  flush_soon();
}

void Http2Session::end() {
  if (phase_ != Phase::open) return;
  phase_ = Phase::ending;
  codec_.end();
  watch();
  flush_soon();
}

void Http2Session::finish() {
  if (phase_ == Phase::over || ending()) return;
  while (codec_.pull(stream().tail(), net::Stream::high_mark))
    stream().commit();
  phase_ = Phase::flushing;
  lingered_ = 0;
  watch();
  stream().finish();
  stream().resume_reading();
}

void Http2Session::on_stream_finished() {
  if (phase_ != Phase::flushing) return;
  if (gives_way_) return connection_.close();
  phase_ = Phase::lingering;
  connection_.become_idle();
  connection_.start_deadline(linger_limit);
}

// GOAWAY tells the client that what it may just be sending has not been read.
bool Http2Session::give_way() {
  if (stream().queued() > 0) return false;
  if (phase_ == Phase::lingering) {
    connection_.close();
    return true;
  }
  connection_.become_busy();
  gives_way_ = true;
  end();
  finish();
  return true;
}

void Http2Session::break_exchanges() {
  for (Http2Stream* each : all_streams()) {
    each->on_drained();
    if (phase_ == Phase::over) return;
  }
}

void Http2Session::stop() {
  phase_ = Phase::over;
  worker_.shared().descriptors.give_back(std::exchange(more_, 0));
  for (Http2Stream* each : all_streams())
    each->stop();
  for (auto& [id, each] : streams_)
    worker_.loop().bury(std::move(each));
  streams_.clear();
}

}  // namespace usher::proxy
