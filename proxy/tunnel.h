// Both directions of a websocket: bytes as they come, under backpressure. Holds the two channels
// and what the access log will want; nothing of HTTP.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "net/channel.h"
#include "net/loop.h"
#include "net/timer.h"
#include "protocol/websocket.h"
#include "proxy/access_log.h"
#include "routing/replica_board.h"
#include "routing/replica_gate.h"

namespace usher::proxy {

class Worker;

// What stays of the exchange that opened it.
struct TunnelRecord {
  MonotonicTime started;
  std::string client;   // its address
  std::string session;  // the client's id in its affinity cookie
  std::string host;
  std::string target;
  std::string replica;
  uint64_t epoch = 0;  // of the client's home at that replica
  std::string request_id;
  std::string user_agent;
  std::string_view affinity;
  Duration first_byte{0};
  unsigned attempts = 0;
  std::chrono::milliseconds idle_limit{0};
  routing::ReplicaStatus* status = nullptr;
  routing::Place place;  // at the replica
};

class Tunnel final : public net::Mortal {
 public:
  // Whose client it is.
  class Owner {
   public:
    // Nothing is left of it but the object.
    virtual void on_tunnel_over() = 0;

   protected:
    ~Owner() = default;
  };

  Tunnel(Worker& worker, Owner& owner, std::unique_ptr<net::Channel> client,
         std::unique_ptr<net::Channel> replica, TunnelRecord record);
  ~Tunnel() override;

  void start();
  // Ends it by the closing handshake (RFC 6455 section 7): each end gets a Close (1001) after the
  // frame that is on its way to it, nothing after that, and may answer. After `limit` it is over.
  // `why` is for the log.
  void go_away(std::chrono::milliseconds limit, std::string why);
  const TunnelRecord& record() const { return record_; }
  // Idempotent. Writes the line of the access log; the owner ends with it.
  void close();

  // The worker's table.
  size_t index = 0;

 private:
  // One end's callbacks. Data of this end go to the other.
  class End final : public net::StreamHandler {
   public:
    End(Tunnel& tunnel, Side side) : tunnel_(tunnel), side_(side) {}
    Side side() const { return side_; }
    std::unique_ptr<net::Channel> channel;
    protocol::FrameTracker frames;  // of what this end sends
    bool ended = false;             // it sends no more
    bool told = false;              // it has got a Close: nothing may follow
    // Nothing will come from it and nothing is left to be sent to it.
    bool over() const { return channel->closed() || (ended && channel->finished()); }

   private:
    void on_stream_open() override {}
    size_t on_stream_data(std::span<const char> data) override;
    void on_stream_end() override;
    void on_stream_writable() override;
    void on_stream_finished() override;
    void on_stream_hangup() override;
    void on_stream_error(Error error) override;

    Tunnel& tunnel_;
    Side side_;
  };

  enum class Phase : uint8_t {
    open,
    parting,  // the closing handshake, on both sides
    closing,  // nothing is passed on any more; what is queued leaves
    closed
  };

  End& other(const End& end) { return &end == &client_ ? replica_ : client_; }
  // Both ends have said Close: whatever happens now, the websocket was closed in order.
  bool said_goodbye() const { return client_.frames.close_seen() && replica_.frames.close_seen(); }
  void pass_on(End& from, std::span<const char> data);
  void on_end(End& end);
  void on_broken(End& end, Error error);
  void stay_awake();
  void on_deadline();
  void part(Error why, std::chrono::milliseconds limit);
  void tell(End& end);
  void settle();
  void close_if_over();
  void log();

  Worker& worker_;
  Owner& owner_;
  TunnelRecord record_;
  End client_{*this, Side::client};
  End replica_{*this, Side::replica};
  net::Timer<&Tunnel::on_deadline> deadline_;
  uint64_t client_in_at_start_ = 0;
  uint64_t client_out_at_start_ = 0;
  Error why_;
  std::optional<Side> closed_by_;  // who began
  Phase phase_ = Phase::open;
};

}  // namespace usher::proxy
