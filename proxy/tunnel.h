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
#include "proxy/websocket.h"

namespace usher::proxy {

class Worker;

class Tunnel final : public Websocket {
 public:
  Tunnel(Worker& worker, Owner& owner, std::unique_ptr<net::Channel> client,
         std::unique_ptr<net::Channel> replica, TunnelRecord record);
  ~Tunnel() override;

  void start() override;
  // Ends it by the closing handshake (RFC 6455 section 7): each end gets a Close (1001) after the
  // frame that is on its way to it, nothing after that, and may answer. After `limit` it is over.
  // `why` is for the log.
  void go_away(std::chrono::milliseconds limit, std::string why) override;
  const TunnelRecord& record() const override { return record_; }
  // Idempotent. Writes the line of the access log; the owner ends with it.
  void close() override;

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
    size_t wanted() const override { return tunnel_.other(*this).channel->room(); }
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
