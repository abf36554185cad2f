#include "proxy/tunnel.h"

#include "proxy/worker.h"

namespace usher::proxy {
namespace {

constexpr std::chrono::milliseconds farewell_limit{5000};
// A peer that has ended its side may still listen, but not for ever in silence.
constexpr std::chrono::milliseconds half_closed_limit{30'000};
constexpr uint16_t close_going_away = 1001;

}  // namespace

Tunnel::Tunnel(Worker& worker, Owner& owner, std::unique_ptr<net::Channel> client,
               std::unique_ptr<net::Channel> replica, TunnelRecord record)
    : worker_(worker), owner_(owner), record_(std::move(record)), deadline_(worker.loop(), *this) {
  client_.channel = std::move(client);
  replica_.channel = std::move(replica);
  client_in_at_start_ = client_.channel->bytes_in();
  client_out_at_start_ = client_.channel->bytes_out() + client_.channel->queued();
  client_.channel->deliver_before_failing();
  client_.channel->set_handler(client_);
  replica_.channel->set_handler(replica_);
  worker_.add(*this);
  enter_replica(worker_, record_);
  worker_.count().websockets.add();
  worker_.count().websockets_opened.add();
}

Tunnel::~Tunnel() { close(); }

void Tunnel::start() {
  stay_awake();
  client_.channel->resume_reading();
  replica_.channel->resume_reading();
}

size_t Tunnel::End::on_stream_data(std::span<const char> data) {
  if (tunnel_.phase_ != Phase::open) {
    tunnel_.pass_on(*this, data);
    return data.size();
  }
  frames.feed(data);
  if (frames.close_seen() && !tunnel_.closed_by_) tunnel_.closed_by_ = side_;
  net::Channel& to = *tunnel_.other(*this).channel;
  to.write(data);
  if (to.above_high_mark()) channel->pause_reading();
  // What a peer that is gone is sent keeps nothing awake.
  if (!to.broken()) tunnel_.stay_awake();
  return data.size();
}

void Tunnel::End::on_stream_writable() { tunnel_.other(*this).channel->resume_reading(); }

void Tunnel::End::on_stream_end() { tunnel_.on_end(*this); }

void Tunnel::End::on_stream_finished() { tunnel_.close_if_over(); }

void Tunnel::End::on_stream_hangup() {
  // Reading is paused because the other end is slow; what is unread still goes there first.
}

void Tunnel::End::on_stream_error(Error error) { tunnel_.on_broken(*this, std::move(error)); }

// While parting: the rest of the frame that is on its way, then the Close, then nothing.
void Tunnel::pass_on(End& from, std::span<const char> data) {
  if (phase_ != Phase::parting) return;
  End& to = other(from);
  while (!data.empty()) {
    const size_t used = from.frames.feed_frame(data);
    if (!to.told) {
      to.channel->write(data.first(used));
      if (from.frames.between_frames()) tell(to);
    }
    data = data.subspan(used);
  }
  if (!to.told && to.channel->above_high_mark()) from.channel->pause_reading();
  settle();
}

// Half-close: the other direction goes on until it ends too.
void Tunnel::on_end(End& end) {
  end.ended = true;
  if (!closed_by_) closed_by_ = end.side();
  if (phase_ == Phase::parting) return settle();
  other(end).channel->finish();
  if (client_.ended && replica_.ended) phase_ = Phase::closing;
  phase_ == Phase::closing ? deadline_.start(farewell_limit) : stay_awake();
  close_if_over();
}

// The other end gets what is queued for it, then its end, and is read until it ends in its turn:
// closing with unread bytes would take back what it got.
void Tunnel::on_broken(End& end, Error error) {
  end.ended = true;
  if (!closed_by_) closed_by_ = end.side();
  if (why_.code == Errc::none && !said_goodbye()) why_ = std::move(error);
  if (phase_ == Phase::parting) return settle();
  phase_ = Phase::closing;
  other(end).channel->finish();
  other(end).channel->resume_reading();
  deadline_.start(farewell_limit);
  close_if_over();
}

void Tunnel::stay_awake() {
  if (phase_ != Phase::open) return;
  const bool half_closed = client_.ended || replica_.ended || said_goodbye();
  deadline_.start(half_closed ? std::min(half_closed_limit, record_.idle_limit)
                              : record_.idle_limit);
}

void Tunnel::on_deadline() {
  if (phase_ != Phase::open || client_.ended || replica_.ended) return close();
  part({Errc::tunnel_idle, Side::usher, "no byte in either direction"}, farewell_limit);
}

void Tunnel::go_away(std::chrono::milliseconds limit, std::string why) {
  part({Errc::draining, Side::usher, std::move(why)}, limit);
}

void Tunnel::part(Error why, std::chrono::milliseconds limit) {
  if (phase_ != Phase::open) return;
  phase_ = Phase::parting;
  if (!closed_by_) {
    closed_by_ = Side::usher;
    why_ = std::move(why);
  }
  deadline_.start(limit);
  for (End* end : {&client_, &replica_}) {
    if (other(*end).frames.between_frames()) tell(*end);
  }
  settle();
}

void Tunnel::tell(End& end) {
  End& from = other(end);
  // If the other end has said Close itself, that was it.
  if (!from.frames.close_seen()) {
    end.channel->write(protocol::make_close_frame(close_going_away, "", &end == &replica_));
  }
  end.told = true;
  from.channel->resume_reading();  // what it still sends is only looked at for its answer
}

// Ends our side towards an end that has answered, or that no Close can reach any more.
void Tunnel::settle() {
  for (End* end : {&client_, &replica_}) {
    const bool answered = end->told && (end->frames.close_seen() || end->ended);
    const bool cut = !end->told && other(*end).ended;  // within a frame
    if (answered || cut) end->channel->finish();
  }
  close_if_over();
}

void Tunnel::close_if_over() {
  if (client_.over() && replica_.over()) close();
}

void Tunnel::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  if (!closed_by_) {
    closed_by_ = Side::usher;
    why_ = {Errc::draining, Side::usher, "cut"};
  }
  leave_replica(worker_, record_);
  log_websocket(worker_, record_,
                {.closed_by = *closed_by_,
                 .why = why_,
                 .bytes_in = client_.channel->bytes_in() - client_in_at_start_,
                 .bytes_out = client_.channel->bytes_out() -
                              std::min(client_out_at_start_, client_.channel->bytes_out())});
  deadline_.stop();
  for (End* end : {&client_, &replica_}) {
    end->channel->close();
    worker_.loop().bury(std::move(end->channel));
  }
  worker_.remove(*this);
  owner_.on_tunnel_over();
}

}  // namespace usher::proxy
