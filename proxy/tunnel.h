// Both directions after an upgrade: bytes as they come, under backpressure. Holds the two streams
// and what the access log will want; nothing of HTTP.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/clock.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"
#include "protocol/websocket.h"
#include "proxy/access_log.h"
#include "routing/replica_board.h"

namespace usher::proxy {

class ClientConnection;
class Worker;

// What stays of the exchange that opened it.
struct TunnelRecord {
  MonotonicTime started;
  std::string client;   // its address
  std::string session;  // the client's id in its affinity cookie
  std::string host;
  std::string target;
  std::string replica;
  std::string request_id;
  std::string user_agent;
  std::string_view affinity;
  Duration first_byte{0};
  unsigned attempts = 0;
  std::chrono::milliseconds idle_limit{0};
  routing::ReplicaStatus* status = nullptr;
};

class Tunnel final : public net::Mortal {
 public:
  Tunnel(Worker& worker, ClientConnection& owner, std::unique_ptr<net::Stream> client,
         std::unique_ptr<net::Stream> replica, TunnelRecord record);
  ~Tunnel() override;

  void start();
  // Says Close 1001 to both ends, between two frames, and ends.
  void go_away();
  // Idempotent. Writes the line of the access log; the owner ends with it.
  void close();

 private:
  // One end's callbacks. Data of this end go to the other.
  class End final : public net::StreamHandler {
   public:
    End(Tunnel& tunnel, Side side) : tunnel_(tunnel), side_(side) {}
    std::unique_ptr<net::Stream> stream;
    protocol::FrameTracker frames;  // of what this end sends
    bool ended = false;

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

  End& other(const End& end) { return &end == &client_ ? replica_ : client_; }
  void on_end(End& end);
  void stay_awake();
  void on_idle();
  void finish(Error why);

  Worker& worker_;
  ClientConnection& owner_;
  TunnelRecord record_;
  End client_{*this, Side::client};
  End replica_{*this, Side::replica};
  net::Timer<&Tunnel::on_idle> idle_;
  uint64_t client_in_at_start_ = 0;
  uint64_t client_out_at_start_ = 0;
  Error why_;
  bool closing_ = false;  // the idle timer now bounds the farewell
  bool closed_ = false;
};

}  // namespace usher::proxy
