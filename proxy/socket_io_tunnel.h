// A Socket.IO websocket that outlives its replica: the client's channel stays, and when the replica
// goes, is drained or is no longer the client's home, the session is opened again at another one.
// What may be carried on, and how, is protocol::SocketIoRelay's to say; this owns the channels and
// the clock.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "net/channel.h"
#include "net/timer.h"
#include "protocol/socket_io_relay.h"
#include "proxy/replacement.h"
#include "proxy/websocket.h"

namespace usher::proxy {

class Worker;

class SocketIoTunnel final : public Websocket,
                             private protocol::SocketIoRelay::Ends,
                             private Replacement::User {
 public:
  SocketIoTunnel(Worker& worker, Owner& owner, std::unique_ptr<net::Channel> client,
                 std::unique_ptr<net::Channel> replica, TunnelRecord record);
  ~SocketIoTunnel() override;

  void start() override;
  void go_away(std::chrono::milliseconds limit, std::string why) override;
  void leave(MoveReason reason, std::chrono::milliseconds limit, std::string why) override;
  void rebalance(routing::ReplicaStatus& newcomer) override;
  bool quiet_for(std::chrono::milliseconds quiet) const override;
  const TunnelRecord& record() const override { return record_; }
  void close() override;

 private:
  class End final : public net::StreamHandler {
   public:
    End(SocketIoTunnel& tunnel, Side side) : tunnel_(tunnel), side_(side) {}
    std::unique_ptr<net::Channel> channel;  // the replica's: nullptr while there is none
    MonotonicTime heard{};                  // when it last sent anything
    bool ended = false;

   private:
    void on_stream_open() override {}
    size_t on_stream_data(std::span<const char> data) override;
    size_t wanted() const override;
    void on_stream_end() override;
    void on_stream_writable() override;
    void on_stream_finished() override;
    void on_stream_hangup() override;
    void on_stream_error(Error error) override;

    SocketIoTunnel& tunnel_;
    Side side_;
  };

  enum class Phase : uint8_t {
    open,
    ending,   // the client will be told to reconnect, a little later than others
    closing,  // nothing more is said; what is queued leaves
    closed
  };

  // Clients that cannot be carried on do not all come back in one instant.
  static constexpr std::chrono::milliseconds spread_of_refused{1000};
  static constexpr std::chrono::milliseconds farewell_limit{5000};

  struct Move;  // under way

  void to_client(std::span<const char> frames) override;
  void to_replica(std::span<const char> frames) override;
  void on_replaced(Replacement::Opened opened) override;
  void on_not_replaced(Error why, bool final) override;

  void on_data(Side side, std::span<const char> data);
  void look();
  bool client_must_wait() const;
  void slow_down();
  void speed_up();
  void client_gone(Error error);
  void replica_gone();
  void on_deadline();
  void arm();
  bool pings() const;
  bool listens() const;

  void begin_move(MoveReason reason);
  void begin_leaving(MoveReason reason);
  void lost(MoveReason reason);
  void seek(Replacement::Aim aim);
  void seek_again(const Error& why);
  void on_step();
  void finish_move(MoveOutcome outcome, std::string_view why = {});
  void set_parked(bool parked);
  void drop_replica();
  void give_up(MoveOutcome outcome, std::string why, std::chrono::milliseconds spread);
  void say_close();
  void end_now(uint16_t code, Error why, std::chrono::milliseconds limit);
  void close_if_over();

  Worker& worker_;
  Owner& owner_;
  TunnelRecord record_;
  End client_{*this, Side::client};
  End replica_{*this, Side::replica};
  protocol::SocketIoRelay relay_;
  net::Timer<&SocketIoTunnel::on_deadline> deadline_;
  std::unique_ptr<Move> move_;
  std::optional<MonotonicTime> leave_by_;
  MoveReason leave_reason_ = MoveReason::drained;
  uint64_t client_in_at_start_ = 0;
  uint64_t client_out_at_start_ = 0;
  Error why_;
  std::optional<Side> closed_by_;  // who began
  uint16_t close_code_ = 0;        // for the client, when we end it
  Phase phase_ = Phase::open;
  bool at_replica_ = false;  // counted there
};

// From the loss of a replica, or the decision to leave it, to the answer of another one.
struct SocketIoTunnel::Move {
  Move(SocketIoTunnel& tunnel, net::Loop& loop, MoveReason why, const TunnelRecord& record)
      : reason(why),
        started(loop.now()),
        from(record.replica),
        left(record.status),
        step(loop, tunnel) {}

  MoveReason reason;
  MonotonicTime started;
  std::string from;
  std::shared_ptr<routing::ReplicaStatus> left;
  std::unique_ptr<Replacement> replacement;
  std::optional<routing::Transfer> transfer;
  net::Timer<&SocketIoTunnel::on_step> step;
  unsigned attempts = 0;
  bool parked = false;
};

}  // namespace usher::proxy
