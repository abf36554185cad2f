// Both directions of a Socket.IO websocket (Engine.IO 4, no extensions), between one client and one
// replica after another: bytes in, bytes out, no sockets. Passes on whole packets as they came;
// keeps what the client says while there is no replica, in order and within a bound; opens the
// session again at the next one. What it promises stands in socket_io_session.h.
//
// Whoever has the sockets asks lost(), refused(), fault() and over() after each call.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "protocol/packet_reader.h"
#include "protocol/socket_io_session.h"

namespace usher::protocol {

class SocketIoRelay final {
 public:
  // Where the bytes go. Called from within the calls below; must not call back.
  class Ends {
   public:
    virtual void to_client(std::span<const char> frames) = 0;
    virtual void to_replica(std::span<const char> frames) = 0;

   protected:
    ~Ends() = default;
  };
  enum class Phase : uint8_t {
    relaying,
    leaving,  // Close was said to the replica; what it still says is passed on
    alone,    // there is no replica
    joining,  // a new one is being told what the former one knew
  };
  // Bytes of the client's that are kept while it has no replica. Beyond that it should not be read.
  static constexpr size_t most_waiting = 64 * 1024;

  SocketIoRelay(Ends& ends, SocketIoSession::Replayable replayable)
      : ends_(ends), session_(std::move(replayable)) {}

  void from_client(std::span<const char> bytes, MonotonicTime now);
  void from_replica(std::span<const char> bytes, MonotonicTime now);

  Phase phase() const { return phase_; }
  const SocketIoSession& session() const { return session_; }
  // The replica has said that it goes, or, after leave(), that it has heard: lose_replica()
  // follows.
  bool lost() const { return lost_; }
  // Either side has said Close, and the other one knows or need not know: nothing begins any more.
  bool over() const { return closed_by_.has_value(); }
  // The one that said it first.
  std::optional<Side> closed_by() const { return closed_by_; }
  // The session cannot go on: obstacle() says why.
  bool refused() const { return refused_; }
  // That side breaks the rules of the protocol.
  std::optional<Side> fault() const { return fault_; }

  // Why it cannot go on at another replica; empty: it can.
  std::string_view obstacle() const;
  // Nothing is on its way in either direction, nobody owes an answer, and the replica has said
  // nothing since.
  bool quiet(MonotonicTime since) const;

  // Begins to leave a replica that is well: says Close to it. Between packets only.
  bool can_leave() const;
  void leave();
  // It is gone.
  void lose_replica();
  // Another one has accepted the websocket.
  void join_replica();
  // So many events have been said again, and so many bytes waited, when it last joined.
  unsigned replayed() const { return replayed_; }
  size_t waited() const { return waited_; }
  // The client should not be read for now.
  bool full() const { return queue_.size() + held_client_.size() > most_waiting; }
  // Nothing that is to be passed on to the client stands half-way: a frame of our own may go there.
  bool between_to_client() const { return !replica_reader_.within_long(); }

  MonotonicTime ping_due() const { return session_.ping_due(); }
  // A ping of our own to the client.
  void ping(MonotonicTime now);

 private:
  size_t take_client(std::span<const char> bytes, MonotonicTime now);
  size_t take_replica(std::span<const char> bytes, MonotonicTime now);
  void client_control(Opcode opcode, std::span<const char> frame);
  void replica_control(Opcode opcode, std::span<const char> frame);
  void client_packet(const PacketReader::Piece& piece, std::span<const char> frames);
  void replica_packet(const PacketReader::Piece& piece, std::span<const char> frames,
                      MonotonicTime now);
  void note_close(Side side);
  void advance(MonotonicTime now);
  bool stopped() const { return lost_ || refused_ || fault_; }

  Ends& ends_;
  SocketIoSession session_;
  PacketReader client_reader_{true};
  PacketReader replica_reader_{false};
  std::string held_client_;   // the beginning of a packet
  std::string held_replica_;  // likewise
  std::string queue_;         // whole packets of the client's, for the next replica
  size_t waited_ = 0;
  unsigned replayed_ = 0;
  std::optional<Side> closed_by_;
  std::optional<Side> fault_;
  Phase phase_ = Phase::relaying;
  bool lost_ = false;
  bool refused_ = false;
  bool client_over_ = false;   // it has said Close: what follows is dropped
  bool replica_over_ = false;  // likewise
  bool drops_client_ = false;  // the rest of a long packet that was swallowed
  bool drops_replica_ = false;
};

}  // namespace usher::protocol
