#include "protocol/socket_io_relay.h"

#include <array>
#include <utility>

#include "protocol/websocket.h"

namespace usher::protocol {
namespace {

constexpr uint16_t close_going_away = 1001;
constexpr uint16_t close_service_restart = 1012;

// A replica that says so is going, and means no harm to the session.
bool means_to_come_again(uint16_t code) {
  return code == close_going_away || code == close_service_restart;
}

// Gives `take` what was held and `bytes` behind it; holds what it does not take.
template <typename Take>
void feed(std::string& held, std::span<const char> bytes, Take take) {
  if (held.empty()) {
    const size_t used = take(bytes);
    if (used < bytes.size()) held.assign(bytes.data() + used, bytes.size() - used);
    return;
  }
  std::string all = std::exchange(held, {});
  all.append(bytes.data(), bytes.size());
  const size_t used = take(std::span<const char>(all));
  if (used == all.size()) return;
  all.erase(0, used);
  held = std::move(all);
}

}  // namespace

void SocketIoRelay::from_client(std::span<const char> bytes, MonotonicTime now) {
  if (stopped() && !lost_) return;
  feed(held_client_, bytes, [&](std::span<const char> all) { return take_client(all, now); });
}

void SocketIoRelay::from_replica(std::span<const char> bytes, MonotonicTime now) {
  if (stopped()) return;
  feed(held_replica_, bytes, [&](std::span<const char> all) { return take_replica(all, now); });
}

size_t SocketIoRelay::take_client(std::span<const char> bytes, MonotonicTime) {
  size_t at = 0;
  while (!refused_ && !fault_) {
    if (client_over_) return bytes.size();
    const auto piece = client_reader_.next(bytes.subspan(at), phase_ == Phase::relaying);
    if (piece.kind == PacketReader::Kind::more) return at;
    if (piece.kind == PacketReader::Kind::fault) {
      fault_ = Side::client;
      break;
    }
    const auto frames = bytes.subspan(at + piece.dropped, piece.size);
    at += piece.dropped + piece.size;
    if (piece.kind == PacketReader::Kind::control) {
      client_control(piece.opcode, frames);
    } else {
      client_packet(piece, frames);
    }
  }
  return bytes.size();
}

void SocketIoRelay::client_control(Opcode opcode, std::span<const char> frame) {
  if (opcode == Opcode::close) note_close(Side::client);
  if (phase_ == Phase::relaying) return ends_.to_replica(frame);
  if (opcode != Opcode::ping) return;
  std::array<char, 128> payload;
  std::string data(frame.begin(), frame.end());
  data[0] = static_cast<char>(0x80 | static_cast<uint8_t>(Opcode::binary));  // to be read as data
  const size_t size = read_payload(data, payload);
  ends_.to_client(make_frame(Opcode::pong, {payload.data(), size}, false));
}

void SocketIoRelay::client_packet(const PacketReader::Piece& piece, std::span<const char> frames) {
  if (piece.kind == PacketReader::Kind::rest) {
    if (!drops_client_) ends_.to_replica(frames);
    if (piece.last) drops_client_ = false;
    if (piece.closed) note_close(Side::client);
    return;
  }
  std::array<char, socket_io_beginning> beginning;
  const SocketIoSession::Packet packet{
      .beginning = {beginning.data(), read_payload(frames, beginning)},
      .frames = frames,
      .text = piece.opcode == Opcode::text,
      .whole = piece.kind == PacketReader::Kind::packet};
  if (phase_ != Phase::relaying) {
    if (session_.wait_from_client(packet) == SocketIoSession::Fate::pass) {
      queue_.append(frames.data(), frames.size());
    }
    return;
  }
  if (session_.from_client(packet) == SocketIoSession::Fate::pass) {
    ends_.to_replica(frames);
  } else {
    drops_client_ = !piece.last;
  }
  if (piece.closed) note_close(Side::client);
}

size_t SocketIoRelay::take_replica(std::span<const char> bytes, MonotonicTime now) {
  size_t at = 0;
  while (!stopped()) {
    if (replica_over_) return bytes.size();
    const auto piece = replica_reader_.next(bytes.subspan(at));
    if (piece.kind == PacketReader::Kind::more) return at;
    if (piece.kind == PacketReader::Kind::fault) {
      fault_ = Side::replica;
      break;
    }
    const auto frames = bytes.subspan(at + piece.dropped, piece.size);
    at += piece.dropped + piece.size;
    if (piece.kind == PacketReader::Kind::control) {
      replica_control(piece.opcode, frames);
    } else {
      replica_packet(piece, frames, now);
      advance(now);
    }
  }
  return bytes.size();
}

void SocketIoRelay::replica_control(Opcode opcode, std::span<const char> frame) {
  if (opcode != Opcode::close) return ends_.to_client(frame);
  const bool answers = client_over_;
  if (!answers && (phase_ != Phase::relaying || means_to_come_again(read_close_code(frame)))) {
    lost_ = true;
    return;
  }
  note_close(Side::replica);
  ends_.to_client(frame);
}

void SocketIoRelay::replica_packet(const PacketReader::Piece& piece, std::span<const char> frames,
                                   MonotonicTime now) {
  if (piece.kind == PacketReader::Kind::rest) {
    if (!drops_replica_) ends_.to_client(frames);
    if (piece.last) drops_replica_ = false;
    if (piece.closed) note_close(Side::replica);
    return;
  }
  std::array<char, socket_io_beginning> beginning;
  const SocketIoSession::Packet packet{
      .beginning = {beginning.data(), read_payload(frames, beginning)},
      .frames = frames,
      .text = piece.opcode == Opcode::text,
      .whole = piece.kind == PacketReader::Kind::packet};
  switch (session_.from_replica(packet, now)) {
    case SocketIoSession::Fate::pass: ends_.to_client(frames); break;
    case SocketIoSession::Fate::swallow: drops_replica_ = !piece.last; break;
    case SocketIoSession::Fate::end: refused_ = true; break;
  }
  if (piece.closed) note_close(Side::replica);
}

void SocketIoRelay::note_close(Side side) {
  (side == Side::client ? client_over_ : replica_over_) = true;
  if (!closed_by_) closed_by_ = side;
}

// What the new replica has to be told next.
void SocketIoRelay::advance(MonotonicTime now) {
  if (phase_ != Phase::joining || refused_) return;
  if (session_.may_join()) {
    const std::string frames = session_.join_frames();
    if (!frames.empty()) ends_.to_replica(frames);
  }
  if (!session_.joined()) return;
  phase_ = Phase::relaying;
  if (const std::string again = session_.replay_frames(replayed_); !again.empty()) {
    ends_.to_replica(again);
  }
  waited_ = queue_.size();
  std::string waiting = std::exchange(queue_, {});
  // The reader knows how much of the packet it holds; it begins anew with what has waited.
  client_reader_.start_over();
  held_client_.insert(0, waiting);
  from_client({}, now);
}

std::string_view SocketIoRelay::obstacle() const {
  if (client_reader_.within_long() || replica_reader_.within_long()) {
    return "a long message was under way";
  }
  return session_.obstacle();
}

bool SocketIoRelay::quiet(MonotonicTime since) const {
  return can_leave() && held_replica_.empty() && session_.quiet(since);
}

bool SocketIoRelay::can_leave() const {
  return phase_ == Phase::relaying && !closed_by_ && !stopped() && obstacle().empty();
}

void SocketIoRelay::leave() {
  phase_ = Phase::leaving;
  ends_.to_replica(make_close_frame(close_going_away, "", true));
}

void SocketIoRelay::lose_replica() {
  phase_ = Phase::alone;
  lost_ = false;
  held_replica_ = {};
  replica_reader_.start_over();
  drops_client_ = drops_replica_ = false;
  session_.leave_replica();
}

void SocketIoRelay::join_replica() { phase_ = Phase::joining; }

void SocketIoRelay::ping(MonotonicTime now) { ends_.to_client(session_.make_ping(now)); }

}  // namespace usher::protocol
