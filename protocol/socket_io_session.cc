#include "protocol/socket_io_session.h"

#include <algorithm>
#include <utility>

#include "protocol/engine_io.h"
#include "protocol/websocket.h"

namespace usher::protocol {
namespace {

// Packet types of Engine.IO 4.
constexpr char engine_open = '0';
constexpr char engine_close = '1';
constexpr char engine_ping = '2';
constexpr char engine_pong = '3';
constexpr char engine_message = '4';

constexpr uint8_t most_pings = 32;

constexpr std::string_view too_many_namespaces = "more namespaces than can be remembered";
constexpr std::string_view too_many_acks =
    "more outstanding acknowledgements than can be remembered";
constexpr std::string_view not_readable = "a packet that is none of Socket.IO's";
constexpr std::string_view ack_taken = "an acknowledgement would be taken for another one's";
constexpr std::string_view refused = "the new replica refused the CONNECT";
constexpr std::string_view not_opened = "the new replica did not open a session";

// All of a packet of one message, unless it is longer than `most`.
std::optional<std::string> whole_payload(const SocketIoSession::Packet& packet, size_t most) {
  if (!packet.whole || packet.frames.size() > most) return std::nullopt;
  std::string payload(packet.frames.size(), '\0');
  payload.resize(read_payload(packet.frames, payload));
  return payload;
}

}  // namespace

SocketIoSession::Namespace* SocketIoSession::find(std::string_view name) {
  const auto found = std::ranges::find(namespaces_, name, &Namespace::name);
  return found == namespaces_.end() ? nullptr : &*found;
}

SocketIoSession::Fate SocketIoSession::from_client(const Packet& packet) {
  if (!packet.text || packet.beginning.empty()) return Fate::pass;
  switch (packet.beginning.front()) {
    case engine_close: ended_ = true; return Fate::pass;
    case engine_pong: return pong();
    case engine_message: break;
    default: return Fate::pass;
  }
  const auto read = read_socket_io(packet.beginning.substr(1));
  if (!read) {
    unreadable_ = not_readable;
    return Fate::pass;
  }
  switch (read->type) {
    case SocketIoType::connect: note_connect(*read, packet); break;
    case SocketIoType::disconnect: forget_namespace(read->name_space); break;
    case SocketIoType::event:
    case SocketIoType::binary_event: note_event(*read, packet); break;
    case SocketIoType::ack:
    case SocketIoType::binary_ack:
      if (!read->ack_id || forget(awaited_, *read)) break;
      return forget(stale_, *read) ? Fate::swallow : Fate::pass;
    case SocketIoType::connect_error: break;
  }
  return Fate::pass;
}

SocketIoSession::Fate SocketIoSession::wait_from_client(const Packet& packet) {
  if (!packet.text || packet.beginning.empty()) return Fate::pass;
  if (packet.beginning.front() == engine_close) ended_ = true;
  if (packet.beginning.front() == engine_pong) {
    pong();  // whoever asked is gone
    return Fate::swallow;
  }
  if (packet.beginning.front() != engine_message) return Fate::pass;
  const auto read = read_socket_io(packet.beginning.substr(1));
  if (!read || read->type != SocketIoType::disconnect) return Fate::pass;
  // The client has left; whoever was not told yet that it was there need not hear of it.
  const bool said = stage_ == Stage::joining && find(read->name_space);
  if (said) return Fate::pass;
  forget_namespace(read->name_space);
  return Fate::swallow;
}

void SocketIoSession::note_connect(const SocketIoPacket& packet, const Packet& as_it_came) {
  size_t room = most_connect;
  for (const Namespace& each : namespaces_)
    room -= std::min(room, each.connect.size());
  auto payload = whole_payload(as_it_came, room);
  Namespace* known = find(packet.name_space);
  if (!payload || (!known && namespaces_.size() == most_namespaces)) {
    unreadable_ = too_many_namespaces;
    return;
  }
  if (!known) known = &namespaces_.emplace_back();
  known->name = packet.name_space;
  known->connect = payload->substr(1);
  known->connected = false;
}

bool SocketIoSession::may_replay(const SocketIoPacket& packet, const Packet& as_it_came) const {
  if (packet.type != SocketIoType::event || packet.event.empty()) return false;
  size_t kept = as_it_came.frames.size();
  for (const Outstanding& each : asked_)
    kept += each.packet.size();
  return as_it_came.whole && kept <= most_kept && replayable_ &&
         std::ranges::find(*replayable_, packet.event) != replayable_->end();
}

void SocketIoSession::note_event(const SocketIoPacket& packet, const Packet& as_it_came) {
  if (!packet.ack_id) return;
  std::string kept;
  if (may_replay(packet, as_it_came)) {
    if (auto payload = whole_payload(as_it_came, most_kept)) kept = std::move(*payload);
  }
  remember(asked_, packet, std::move(kept));
}

void SocketIoSession::remember(Acks& acks, const SocketIoPacket& packet, std::string kept) {
  if (acks.size() == most_outstanding) {
    unreadable_ = too_many_acks;
    return;
  }
  acks.push_back({std::string(packet.name_space), *packet.ack_id, std::move(kept)});
}

// An idle session holds no memory for what is over.
bool SocketIoSession::forget(Acks& acks, const SocketIoPacket& packet) {
  const auto found = std::ranges::find_if(acks, [&](const Outstanding& each) {
    return each.id == *packet.ack_id && each.name_space == packet.name_space;
  });
  if (found == acks.end()) return false;
  acks.erase(found);
  if (acks.empty() && acks.capacity() > 4) acks.shrink_to_fit();
  return true;
}

void SocketIoSession::forget_namespace(std::string_view name) {
  const auto of_it = [name](const Outstanding& each) { return each.name_space == name; };
  for (Acks* acks : {&asked_, &awaited_, &stale_})
    std::erase_if(*acks, of_it);
  std::erase_if(namespaces_, [name](const Namespace& each) { return each.name == name; });
  join_if_all_answered();
}

SocketIoSession::Fate SocketIoSession::from_replica(const Packet& packet, MonotonicTime now) {
  if (stage_ == Stage::fresh) return open_from_replica(packet, now);
  if (packet.text && packet.beginning.starts_with(engine_ping)) {
    note_ping(false, now);
    return Fate::pass;
  }
  if (!packet.text || packet.beginning.empty()) return Fate::pass;
  if (packet.beginning.front() == engine_close) ended_ = true;
  if (packet.beginning.front() != engine_message) return Fate::pass;
  const auto read = read_socket_io(packet.beginning.substr(1));
  if (read) return socket_io_from_replica(*read, now);
  unreadable_ = not_readable;
  return Fate::pass;
}

SocketIoSession::Fate SocketIoSession::open_from_replica(const Packet& packet, MonotonicTime now) {
  const auto open = packet.text && packet.beginning.starts_with(engine_open)
                        ? read_heartbeat(packet.beginning)
                        : std::nullopt;
  if (!open) {
    // The first replica's words are the client's to judge.
    unreadable_ = not_opened;
    if (opened_) return Fate::end;
    stage_ = Stage::joined;
    return Fate::pass;
  }
  replica_interval_ = open->interval;
  replica_timeout_ = open->timeout;
  last_said_ = now;
  if (opened_) {
    stage_ = Stage::opened;
    return Fate::swallow;
  }
  opened_ = true;
  interval_ = open->interval;
  timeout_ = open->timeout;
  last_ping_ = now;
  // A client may have said CONNECT before this, to a replica that went without a word.
  stage_ = carried_on_ ? Stage::opened : Stage::joined;
  return Fate::pass;
}

SocketIoSession::Fate SocketIoSession::socket_io_from_replica(const SocketIoPacket& packet,
                                                              MonotonicTime now) {
  switch (packet.type) {
    case SocketIoType::connect:
      last_said_ = now;
      if (Namespace* known = find(packet.name_space)) known->connected = true;
      join_if_all_answered();
      break;
    case SocketIoType::connect_error:
      if (stage_ == Stage::joining && find(packet.name_space)) {
        unreadable_ = refused;
        return Fate::end;
      }
      forget_namespace(packet.name_space);
      break;
    case SocketIoType::disconnect: forget_namespace(packet.name_space); break;
    case SocketIoType::event:
    case SocketIoType::binary_event:
      last_said_ = now;
      if (!packet.ack_id) break;
      if (std::ranges::any_of(stale_, [&](const Outstanding& each) {
            return each.id == *packet.ack_id && each.name_space == packet.name_space;
          })) {
        unreadable_ = ack_taken;
        return Fate::end;
      }
      remember(awaited_, packet, {});
      break;
    case SocketIoType::ack:
    case SocketIoType::binary_ack:
      if (packet.ack_id) forget(asked_, packet);
      break;
  }
  return Fate::pass;
}

std::string_view SocketIoSession::obstacle() const {
  if (!unreadable_.empty()) return unreadable_;
  if (ended_) return "it had been ended";
  const bool owed =
      std::ranges::any_of(asked_, [](const Outstanding& each) { return each.packet.empty(); });
  return owed ? "an event that must not be said twice has no acknowledgement" : "";
}

bool SocketIoSession::quiet(MonotonicTime since) const {
  return opened_ && asked_.empty() && awaited_.empty() && last_said_ <= since &&
         std::ranges::all_of(namespaces_, &Namespace::connected);
}

void SocketIoSession::leave_replica() {
  for (Outstanding& each : awaited_) {
    if (stale_.size() == most_outstanding) unreadable_ = too_many_acks;
    if (unreadable_.empty()) stale_.push_back(std::move(each));
  }
  awaited_ = {};
  for (Namespace& each : namespaces_)
    each.connected = false;
  // Whoever asked is gone: no pong that is still to come may reach another one.
  our_pings_ = ~uint32_t{0};
  stage_ = Stage::fresh;
  carried_on_ = true;
}

std::string SocketIoSession::join_frames() {
  std::string frames;
  for (const Namespace& each : namespaces_)
    frames += make_frame(Opcode::text, engine_message + each.connect, true);
  stage_ = Stage::joining;
  join_if_all_answered();
  return frames;
}

void SocketIoSession::join_if_all_answered() {
  if (stage_ != Stage::joining) return;
  if (std::ranges::all_of(namespaces_, &Namespace::connected)) stage_ = Stage::joined;
}

std::string SocketIoSession::replay_frames(unsigned& count) const {
  std::string frames;
  count = 0;
  for (const Outstanding& each : asked_) {
    if (each.packet.empty()) continue;
    frames += make_frame(Opcode::text, each.packet, true);
    ++count;
  }
  return frames;
}

void SocketIoSession::note_ping(bool ours, MonotonicTime now) {
  last_ping_ = now;
  // A client that answers none of so many is beyond caring.
  if (pings_ == most_pings) return;
  const uint32_t bit = uint32_t{1} << pings_++;
  our_pings_ = ours ? our_pings_ | bit : our_pings_ & ~bit;
}

SocketIoSession::Fate SocketIoSession::pong() {
  if (pings_ == 0) return Fate::pass;
  const bool ours = (our_pings_ & 1) != 0;
  our_pings_ >>= 1;
  --pings_;
  return ours ? Fate::swallow : Fate::pass;
}

MonotonicTime SocketIoSession::ping_due() const {
  if (!opened_ || ended_) return MonotonicTime::max();
  // A replica that is there has the first word; one that pings more seldom than the first one did
  // is helped out before the client loses patience.
  return last_ping_ + interval_ + (stage_ == Stage::joined ? timeout_ / 2 : Duration(0));
}

std::string SocketIoSession::make_ping(MonotonicTime now) {
  note_ping(true, now);
  return make_frame(Opcode::text, {&engine_ping, 1}, false);
}

MonotonicTime SocketIoSession::client_silent_at() const {
  return pings_ > 0 ? last_ping_ + timeout_ : MonotonicTime::max();
}

}  // namespace usher::protocol
