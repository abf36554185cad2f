#include "proxy/tunnel.h"

#include "proxy/client_connection.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

constexpr std::chrono::milliseconds farewell_limit{5000};
// A peer that has ended its side may still listen, but not for ever in silence.
constexpr std::chrono::milliseconds half_closed_limit{30'000};
constexpr uint16_t close_going_away = 1001;

}  // namespace

Tunnel::Tunnel(Worker& worker, ClientConnection& owner, std::unique_ptr<net::Stream> client,
               std::unique_ptr<net::Stream> replica, TunnelRecord record)
    : worker_(worker), owner_(owner), record_(std::move(record)), idle_(worker.loop(), *this) {
  client_.stream = std::move(client);
  replica_.stream = std::move(replica);
  client_in_at_start_ = client_.stream->bytes_in();
  client_out_at_start_ = client_.stream->bytes_out() + client_.stream->queued();
  client_.stream->set_handler(client_);
  replica_.stream->set_handler(replica_);
  ++record_.status->websockets;
  worker_.shared().live_sessions.opened(record_.session, record_.replica);
  worker_.count().websockets.add();
  worker_.count().websockets_opened.add();
}

Tunnel::~Tunnel() { close(); }

void Tunnel::start() {
  stay_awake();
  client_.stream->resume_reading();
  replica_.stream->resume_reading();
}

size_t Tunnel::End::on_stream_data(std::span<const char> data) {
  frames.feed(data);
  net::Stream& to = *tunnel_.other(*this).stream;
  to.write(data);
  if (to.above_high_mark()) stream->pause_reading();
  tunnel_.stay_awake();
  return data.size();
}

void Tunnel::End::on_stream_writable() { tunnel_.other(*this).stream->resume_reading(); }

// Half-close: the other direction goes on until it ends too.
void Tunnel::End::on_stream_end() {
  ended = true;
  tunnel_.on_end(*this);
}

void Tunnel::End::on_stream_finished() {
  // Our side is ended and so is the peer's: nothing more can come.
  if (ended && tunnel_.other(*this).ended) tunnel_.close();
}

void Tunnel::End::on_stream_hangup() {
  // Reading is paused because the other end is slow; what is unread still goes there first.
}

void Tunnel::End::on_stream_error(Error error) {
  if (error.code == Errc::replica_closed || error.code == Errc::client_gone) ended = true;
  tunnel_.finish(std::move(error));
}

void Tunnel::on_end(End& end) {
  closing_ = closing_ || (client_.ended && replica_.ended);
  other(end).stream->finish();
  closing_ ? idle_.start(farewell_limit) : stay_awake();
}

void Tunnel::stay_awake() {
  if (closing_) return;
  const bool half_closed = client_.ended || replica_.ended;
  idle_.start(half_closed ? std::min(half_closed_limit, record_.idle_limit) : record_.idle_limit);
}

void Tunnel::on_idle() {
  if (closing_ || client_.ended || replica_.ended) return close();
  finish({Errc::tunnel_idle, Side::usher, "no byte in either direction"});
}

// One end is broken or must go: the other gets what is still queued for it, then its end.
void Tunnel::finish(Error why) {
  if (why_.code == Errc::none) why_ = std::move(why);
  if (client_.stream->closed() && replica_.stream->closed()) return close();
  closing_ = true;
  client_.ended = replica_.ended = true;
  client_.stream->finish();
  replica_.stream->finish();
  idle_.start(farewell_limit);
  if (client_.stream->closed()) return close();
}

void Tunnel::go_away() {
  // A frame that is cut in two would be worse than no farewell.
  if (replica_.frames.between_frames() && !replica_.frames.close_seen()) {
    client_.stream->write(protocol::make_close_frame(close_going_away, "", false));
  }
  if (client_.frames.between_frames() && !client_.frames.close_seen()) {
    replica_.stream->write(protocol::make_close_frame(close_going_away, "", true));
  }
  finish({Errc::draining, Side::usher, "the front door is stopping"});
}

void Tunnel::close() {
  if (closed_) return;
  closed_ = true;
  --record_.status->websockets;
  worker_.shared().live_sessions.closed(record_.session, record_.replica);
  worker_.count().websockets.subtract();
  const auto now = worker_.loop().now();

  AccessRecord line;
  line.time = worker_.shared().clock.wall();
  line.client = record_.client;
  line.method = "GET";
  line.host = record_.host;
  line.target = record_.target;
  line.protocol = "websocket";
  line.status = 101;
  line.bytes_in = client_.stream->bytes_in() - client_in_at_start_;
  line.bytes_out =
      client_.stream->bytes_out() - std::min(client_out_at_start_, client_.stream->bytes_out());
  line.duration = std::chrono::duration_cast<Duration>(now - record_.started);
  line.first_byte = record_.first_byte;
  line.replica = record_.replica;
  line.affinity = record_.affinity;
  line.attempts = record_.attempts;
  if (why_.code != Errc::none) line.error = to_string(why_);
  line.request_id = record_.request_id;
  line.user_agent = record_.user_agent;
  worker_.shared().access_log.write(line);

  idle_.stop();
  for (End* end : {&client_, &replica_}) {
    end->stream->close();
    worker_.loop().bury(std::move(end->stream));
  }
  owner_.end_tunnel();
}

}  // namespace usher::proxy
