// What a relay must remember of one Socket.IO connection to carry it on at another replica while
// its client notices nothing but a second answer to its CONNECT: which namespaces are connected and
// how, which acknowledgements are outstanding, and whose ping a pong answers. It judges each packet
// that is about to be passed on, and says what a new replica must be told first.
//
// Guarantees, whatever either side sends:
// - an event of the client's that may have been handled is never said again, unless its name is
//   among those that may; nor is it forgotten: obstacle() names it while it has no acknowledgement;
// - an acknowledgement that the client owes a former replica reaches no other one;
// - the client is never told that it was disconnected (Socket.IO's "41") by anyone but its replica;
// - what is remembered is bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "protocol/socket_io.h"

namespace usher::protocol {

class SocketIoSession final {
 public:
  // Names of events that may be said twice: as they stand in JSON. May be shared by all sessions.
  using Replayable = std::shared_ptr<const std::vector<std::string>>;
  // Of each kind of acknowledgement, for each session.
  static constexpr size_t most_outstanding = 256;
  static constexpr size_t most_namespaces = 16;
  // Bytes of CONNECT packets, and of events that could be said again.
  static constexpr size_t most_connect = 8 * 1024;
  static constexpr size_t most_kept = 16 * 1024;

  // One packet of Engine.IO.
  struct Packet {
    std::string_view beginning;  // at least its first socket_io_beginning bytes, if it has so many
    std::span<const char> frames;  // the packet as it came
    bool text = true;
    bool whole = true;  // `frames` hold all of it
  };
  enum class Fate : uint8_t {
    pass,
    swallow,  // it stays here
    end,      // it shows that the session cannot go on: see obstacle()
  };

  explicit SocketIoSession(Replayable replayable) : replayable_(std::move(replayable)) {}

  // A packet that is about to be passed on.
  Fate from_client(const Packet& packet);
  Fate from_replica(const Packet& packet, MonotonicTime now);
  // A packet that has to wait for the next replica; `pass`: keep it and, later, ask from_client().
  Fate wait_from_client(const Packet& packet);

  // The replica has opened the Engine.IO session, and the client knows.
  bool opened() const { return opened_; }
  // One of the two has ended it in Engine.IO's own words.
  bool ended() const { return ended_; }
  // Why it cannot be carried on elsewhere at this moment; empty: it can.
  std::string_view obstacle() const;
  // Nobody owes an acknowledgement, no namespace waits to be connected, and the replica has said
  // nothing since `since`.
  bool quiet(MonotonicTime since) const;

  // Its replica is gone; what comes from_replica() from now on is another one's, from its
  // beginning.
  void leave_replica();
  // The new replica has opened a session and waits for join_frames().
  bool may_join() const { return stage_ == Stage::opened; }
  // CONNECT packets for all namespaces, as a client's frames.
  std::string join_frames();
  // All of them are answered.
  bool joined() const { return stage_ == Stage::joined; }
  // The events to be said again, as a client's frames, and how many those are.
  std::string replay_frames(unsigned& count) const;

  // When the client must get a ping, unless the replica sends one before.
  MonotonicTime ping_due() const;
  // A ping of our own, for the client.
  std::string make_ping(MonotonicTime now);
  // When a ping that has no answer will have waited for one longer than the client was told it may.
  MonotonicTime client_silent_at() const;
  // For how long the replica may say nothing at all.
  Duration longest_silence() const { return replica_interval_ + replica_timeout_; }

 private:
  enum class Stage : uint8_t {
    fresh,   // waits for the open packet
    opened,  // has seen it; the CONNECTs are not yet said
    joining,
    joined,
  };
  struct Namespace {
    std::string name;
    std::string connect;     // the packet without Engine.IO's "4"
    bool connected = false;  // the replica of now has answered
  };
  struct Outstanding {
    std::string name_space;
    uint64_t id;
    std::string packet;  // of a client's event that may be said again; else empty
    friend bool operator==(const Outstanding& one, const Outstanding& other) {
      return one.id == other.id && one.name_space == other.name_space;
    }
  };
  using Acks = std::vector<Outstanding>;

  Fate open_from_replica(const Packet& packet, MonotonicTime now);
  Fate socket_io_from_replica(const SocketIoPacket& packet, MonotonicTime now);
  void note_connect(const SocketIoPacket& packet, const Packet& as_it_came);
  void note_event(const SocketIoPacket& packet, const Packet& as_it_came);
  bool may_replay(const SocketIoPacket& packet, const Packet& as_it_came) const;
  void remember(Acks& acks, const SocketIoPacket& packet, std::string kept);
  static bool forget(Acks& acks, const SocketIoPacket& packet);
  void forget_namespace(std::string_view name);
  Namespace* find(std::string_view name);
  void join_if_all_answered();
  void note_ping(bool ours, MonotonicTime now);
  Fate pong();

  Replayable replayable_;
  std::vector<Namespace> namespaces_;
  Acks asked_;                   // by the client; the replica has not answered
  Acks awaited_;                 // by this replica; the client has not answered
  Acks stale_;                   // by former replicas; the client may still answer
  std::string_view unreadable_;  // why it can never be carried on
  MonotonicTime last_said_{};    // the replica's last event or answer to a CONNECT
  MonotonicTime last_ping_{};    // that the client got
  Duration interval_{0};         // as the client was told
  Duration timeout_{0};
  Duration replica_interval_{0};  // as the replica of now says
  Duration replica_timeout_{0};
  uint32_t our_pings_ = 0;  // a bit for each ping without an answer, the oldest lowest: is it ours?
  uint8_t pings_ = 0;       // how many those are
  Stage stage_ = Stage::fresh;
  bool carried_on_ = false;  // the replica of now is not the first one
  bool opened_ = false;
  bool ended_ = false;
};

}  // namespace usher::protocol
