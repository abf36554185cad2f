#include "proxy/socket_io_tunnel.h"

#include <algorithm>
#include <random>
#include <utility>

#include "protocol/websocket.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

using protocol::SocketIoRelay;
using std::chrono::milliseconds;

// After the closing handshake: the connection should end.
constexpr milliseconds after_goodbye{30'000};
constexpr milliseconds shortest_look{10};

constexpr uint16_t close_normal = 1000;
constexpr uint16_t close_going_away = 1001;
constexpr uint16_t close_protocol_error = 1002;
constexpr uint16_t close_service_restart = 1012;

milliseconds until(MonotonicTime when, MonotonicTime now) {
  return std::max(shortest_look, std::chrono::ceil<milliseconds>(when - now));
}

}  // namespace

SocketIoTunnel::SocketIoTunnel(Worker& worker, Owner& owner, std::unique_ptr<net::Channel> client,
                               std::unique_ptr<net::Channel> replica, TunnelRecord record)
    : worker_(worker),
      owner_(owner),
      record_(std::move(record)),
      relay_(*this, record_.migration->replay),
      deadline_(worker.loop(), *this) {
  client_.channel = std::move(client);
  replica_.channel = std::move(replica);
  client_in_at_start_ = client_.channel->bytes_in();
  client_out_at_start_ = client_.channel->bytes_out() + client_.channel->queued();
  client_.channel->deliver_before_failing();
  client_.channel->set_handler(client_);
  replica_.channel->set_handler(replica_);
  client_.heard = replica_.heard = worker.loop().now();
  worker_.add(*this);
  enter_replica(worker_, record_);
  at_replica_ = true;
  worker_.count().websockets.add();
  worker_.count().websockets_opened.add();
}

SocketIoTunnel::~SocketIoTunnel() { close(); }

void SocketIoTunnel::start() {
  arm();
  client_.channel->resume_reading();
  replica_.channel->resume_reading();
}

size_t SocketIoTunnel::End::on_stream_data(std::span<const char> data) {
  tunnel_.on_data(side_, data);
  return data.size();
}

size_t SocketIoTunnel::End::wanted() const {
  const End& other = side_ == Side::client ? tunnel_.replica_ : tunnel_.client_;
  return other.channel ? other.channel->room() : SIZE_MAX;
}

void SocketIoTunnel::End::on_stream_end() {
  ended = true;
  side_ == Side::client ? tunnel_.client_gone({}) : tunnel_.replica_gone();
}

void SocketIoTunnel::End::on_stream_writable() { tunnel_.speed_up(); }

void SocketIoTunnel::End::on_stream_finished() { tunnel_.close_if_over(); }

void SocketIoTunnel::End::on_stream_hangup() {
  // What is unread still goes to the other end first; but a client whose words wait for a replica
  // will not hear of one.
  if (side_ == Side::client && !tunnel_.replica_.channel) tunnel_.client_gone({});
}

void SocketIoTunnel::End::on_stream_error(Error error) {
  ended = true;
  side_ == Side::client ? tunnel_.client_gone(std::move(error)) : tunnel_.replica_gone();
}

void SocketIoTunnel::on_data(Side side, std::span<const char> data) {
  if (phase_ != Phase::open) return;
  const auto now = worker_.loop().now();
  if (side == Side::client) {
    client_.heard = now;
    relay_.from_client(data, now);
  } else {
    replica_.heard = now;
    relay_.from_replica(data, now);
  }
  look();
}

void SocketIoTunnel::to_client(std::span<const char> frames) { client_.channel->write(frames); }

void SocketIoTunnel::to_replica(std::span<const char> frames) {
  if (replica_.channel) replica_.channel->write(frames);
}

// What follows from what the relay has just seen.
void SocketIoTunnel::look() {
  if (const auto side = relay_.fault()) {
    const Errc code = *side == Side::client ? Errc::bad_request : Errc::replica_bad_response;
    return end_now(close_protocol_error, {code, *side, "frames that no websocket has"},
                   farewell_limit);
  }
  if (relay_.refused()) {
    return give_up(MoveOutcome::refused, std::string(relay_.obstacle()), spread_of_refused);
  }
  if (relay_.lost()) return lost(move_ ? move_->reason : MoveReason::closed);
  const bool relaying = relay_.phase() == SocketIoRelay::Phase::relaying;
  if (relay_.over() && !relaying) return end_now(close_normal, {}, farewell_limit);
  if (move_ && relaying) finish_move(MoveOutcome::moved);
  if (leave_by_ && relay_.quiet(worker_.loop().now())) return begin_leaving(leave_reason_);
  slow_down();
}

// While there is no replica to answer, what the client says is answered here: then its own queue
// slows it down too.
bool SocketIoTunnel::client_must_wait() const {
  if (relay_.full()) return true;
  if (replica_.channel && replica_.channel->above_high_mark()) return true;
  return relay_.phase() != SocketIoRelay::Phase::relaying && client_.channel->above_high_mark();
}

void SocketIoTunnel::slow_down() {
  if (client_must_wait()) client_.channel->pause_reading();
  if (replica_.channel && client_.channel->above_high_mark()) replica_.channel->pause_reading();
}

void SocketIoTunnel::speed_up() {
  if (!client_must_wait()) client_.channel->resume_reading();
  if (replica_.channel && !client_.channel->above_high_mark()) replica_.channel->resume_reading();
}

void SocketIoTunnel::client_gone(Error error) {
  if (phase_ == Phase::closed) return;
  if (!closed_by_) closed_by_ = relay_.closed_by().value_or(Side::client);
  if (why_.code == Errc::none && !relay_.over()) why_ = std::move(error);
  if (move_) finish_move(MoveOutcome::client_gone);
  client_.ended = true;
  if (!replica_.channel) return close();
  phase_ = Phase::closing;
  replica_.channel->finish();
  replica_.channel->resume_reading();
  deadline_.start(farewell_limit);
  close_if_over();
}

void SocketIoTunnel::replica_gone() {
  // A client that has ended its side first waits for the end of ours.
  if (phase_ == Phase::closing) client_.channel->finish();
  if (phase_ != Phase::open) return close_if_over();
  if (!relay_.over()) return lost(move_ ? move_->reason : MoveReason::broken);
  if (!closed_by_) closed_by_ = relay_.closed_by();
  phase_ = Phase::closing;
  client_.channel->finish();
  client_.channel->resume_reading();
  deadline_.start(farewell_limit);
  close_if_over();
}

// One look at all that can be late; no message moves the timer.
void SocketIoTunnel::on_deadline() {
  if (phase_ == Phase::closing) return close();
  if (phase_ == Phase::ending) {
    deadline_.start(farewell_limit);
    return say_close();
  }
  const auto now = worker_.loop().now();
  const auto heard = std::max(client_.heard, replica_.heard);
  if (relay_.over() && now - heard >= after_goodbye) return close();
  if (now - heard >= record_.idle_limit && !move_) {
    return end_now(close_going_away,
                   {Errc::tunnel_idle, Side::usher, "no byte in either direction"}, farewell_limit);
  }
  if (move_ && !relay_.full() && now >= relay_.session().client_silent_at()) {
    return client_gone({Errc::client_stalled, Side::client, "it answers no pings"});
  }
  if (leave_by_ && now >= *leave_by_ && !relay_.over()) {
    if (relay_.can_leave()) return begin_leaving(leave_reason_);
    begin_move(leave_reason_);
    return give_up(MoveOutcome::refused, std::string(relay_.obstacle()), spread_of_refused);
  }
  if (pings() && now >= relay_.ping_due()) relay_.ping(now);
  const auto silence = relay_.session().longest_silence();
  if (listens() && silence > Duration(0) && now - replica_.heard >= silence) {
    return lost(MoveReason::silent);
  }
  arm();
}

// A ping of ours could go out.
bool SocketIoTunnel::pings() const { return !relay_.over() && relay_.between_to_client(); }

// The replica would be heard if it said something.
bool SocketIoTunnel::listens() const {
  return !move_ && !relay_.over() && replica_.channel && replica_.channel->reading();
}

void SocketIoTunnel::arm() {
  if (phase_ != Phase::open) return;
  const auto now = worker_.loop().now();
  auto next = std::max(client_.heard, replica_.heard) + record_.idle_limit;
  if (move_ && !relay_.full()) next = relay_.session().client_silent_at();
  if (relay_.over()) next = std::min(next, std::max(client_.heard, replica_.heard) + after_goodbye);
  if (leave_by_ && !relay_.over()) next = std::min(next, *leave_by_);
  // Never later: a peer that was heard since has moved these on, and one look finds that out.
  if (pings()) next = std::min(next, relay_.ping_due());
  const auto silence = relay_.session().longest_silence();
  if (listens() && silence > Duration(0)) next = std::min(next, replica_.heard + silence);
  next = std::min(next, now + std::chrono::minutes(1));
  deadline_.start(until(next, now));
}

void SocketIoTunnel::drop_replica() {
  if (std::exchange(at_replica_, false)) leave_replica(worker_, record_);
  if (!replica_.channel) return;
  replica_.channel->close();
  worker_.loop().bury(std::move(replica_.channel));
}

// The client's library will reconnect, and whoever asked for an acknowledgement is told.
void SocketIoTunnel::give_up(MoveOutcome outcome, std::string why, milliseconds spread) {
  if (phase_ != Phase::open) return;
  begin_move(MoveReason::broken);
  finish_move(outcome, why);
  drop_replica();
  why_ = {Errc::not_moved, Side::usher, std::move(why)};
  closed_by_ = Side::usher;
  close_code_ = close_service_restart;
  phase_ = Phase::ending;
  std::uniform_int_distribution<int64_t> some(0, spread.count());
  deadline_.start(milliseconds(some(worker_.jitter())));
}

void SocketIoTunnel::say_close() {
  phase_ = Phase::closing;
  if (relay_.between_to_client()) {
    client_.channel->write(protocol::make_close_frame(close_code_, "", false));
  }
  client_.channel->finish();
  client_.channel->resume_reading();
  close_if_over();
}

void SocketIoTunnel::go_away(milliseconds limit, std::string why) {
  if (phase_ == Phase::closing) return;
  end_now(close_going_away, {Errc::draining, Side::usher, std::move(why)}, limit);
}

void SocketIoTunnel::end_now(uint16_t code, Error why, milliseconds limit) {
  if (phase_ == Phase::closing || phase_ == Phase::closed) return;
  if (!closed_by_) {
    closed_by_ = relay_.closed_by().value_or(relay_.fault().value_or(Side::usher));
    why_ = std::move(why);
  }
  if (move_) finish_move(MoveOutcome::stopped, why_.detail);
  if (replica_.channel) {
    if (relay_.can_leave()) {
      replica_.channel->write(protocol::make_close_frame(close_going_away, "", true));
    }
    replica_.channel->finish();
    replica_.channel->resume_reading();
  }
  close_code_ = code;
  deadline_.start(limit);
  say_close();
}

void SocketIoTunnel::close_if_over() {
  const auto over = [](const End& end) {
    return !end.channel || end.channel->closed() || (end.ended && end.channel->finished());
  };
  if (phase_ == Phase::closing && over(client_) && over(replica_)) close();
}

void SocketIoTunnel::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  if (!closed_by_) {
    closed_by_ = relay_.closed_by().value_or(Side::usher);
    if (closed_by_ == Side::usher) why_ = {Errc::draining, Side::usher, "cut"};
  }
  if (move_) finish_move(MoveOutcome::stopped);
  deadline_.stop();
  drop_replica();
  log_websocket(worker_, record_,
                {.closed_by = *closed_by_,
                 .why = why_,
                 .bytes_in = client_.channel->bytes_in() - client_in_at_start_,
                 .bytes_out = client_.channel->bytes_out() -
                              std::min(client_out_at_start_, client_.channel->bytes_out())});
  client_.channel->close();
  worker_.loop().bury(std::move(client_.channel));
  worker_.remove(*this);
  owner_.on_tunnel_over();
}

}  // namespace usher::proxy
