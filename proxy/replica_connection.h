// One connection to a replica: a stream and the client's side of HTTP/1.1. Lent to one exchange at
// a time; between exchanges it lies idle in its pool.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/error.h"
#include "conf/settings.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/timer.h"
#include "protocol/http1_parser.h"
#include "protocol/message.h"
#include "routing/replica.h"

namespace usher::proxy {

// Interim answers (1xx) to one request; more are a fault.
inline constexpr uint32_t most_interim = 1000;

// Whoever has the connection on loan. After on_replica_end() or on_replica_error() nothing follows.
class ReplicaConnectionUser {
 public:
  // Connected: a request may be sent.
  virtual void on_replica_ready() = 0;
  // Interim heads (1xx) come before the final one.
  virtual void on_replica_head(protocol::ResponseHead head) = 0;
  virtual void on_replica_data(std::span<const char> data) = 0;
  virtual void on_replica_end(protocol::Headers trailers) = 0;
  // The request body may go on: the stream took what had piled up.
  virtual void on_replica_writable() = 0;
  // About so many bytes of the response are wanted at once, at most.
  virtual size_t wanted() const { return SIZE_MAX; }
  virtual void on_replica_error(Error error) = 0;

 protected:
  ~ReplicaConnectionUser() = default;
};

class ReplicaConnection final : public net::Mortal, private net::StreamHandler {
 public:
  // The owner of idle connections.
  class Keeper {
   public:
    // An idle connection is of no more use: time, data out of turn, or the replica closed it.
    virtual void on_idle_over(ReplicaConnection& connection) = 0;

   protected:
    ~Keeper() = default;
  };

  ReplicaConnection(net::Loop& loop, const routing::Replica& replica,
                    std::unique_ptr<net::Transport> transport,
                    const conf::UpstreamTimeouts& timeouts, protocol::HeadLimits response_limits,
                    ReplicaConnectionUser& user);
  ~ReplicaConnection() override;

  void connect();
  // For a connection from the pool; on_replica_ready() comes at once if `user` asks ready().
  void lend(const conf::UpstreamTimeouts& timeouts, ReplicaConnectionUser& user);
  void rest(Keeper& keeper);

  bool ready() const { return stream_ && stream_->open(); }
  bool reused() const { return reused_; }
  // That it has carried.
  uint32_t requests() const { return requests_; }
  // The response is complete, the request was sent whole and the replica keeps the connection.
  bool reusable() const;

  void send_head(const protocol::RequestHead& head);
  void send_data(std::span<const char> data);
  void send_end(const protocol::Headers& trailers);
  bool above_high_mark() const { return stream_->above_high_mark(); }

  void pause() { stream_->pause_reading(); }
  void resume() { stream_->resume_reading(); }

  void close();
  // After a 101: the connection is the caller's; this object is of no more use.
  std::unique_ptr<net::Stream> take_stream();

  routing::ReplicaStatus& status() { return *status_; }
  const std::string& replica_id() const { return replica_id_; }

 private:
  enum class State : uint8_t { connecting, lent, idle, closed };

  void on_stream_open() override;
  size_t on_stream_data(std::span<const char> data) override;
  size_t wanted() const override;
  void on_stream_end() override;
  void on_stream_writable() override;
  void on_stream_hangup() override;
  void on_stream_error(Error error) override;
  void on_deadline();

  bool handle(const protocol::Parsed& event, bool was_last);
  void fail(Error error);
  void await_bytes();
  void check_answer();
  void count(bool lent);

  net::Loop& loop_;
  std::shared_ptr<routing::ReplicaStatus> status_;
  std::string replica_id_;
  conf::UpstreamTimeouts timeouts_;
  ReplicaConnectionUser* user_;
  Keeper* keeper_ = nullptr;
  std::unique_ptr<net::Stream> stream_;
  protocol::ResponseParser parser_;
  net::Timer<&ReplicaConnection::on_deadline> deadline_;
  uint32_t requests_ = 0;
  uint32_t interim_ = 0;   // answers, of the request of now
  uint64_t seen_out_ = 0;  // when the deadline was last set
  MonotonicTime waits_since_;
  protocol::BodyKind request_body_ = protocol::BodyKind::none;
  State state_ = State::connecting;
  bool reused_ = false;
  bool counted_ = false;
  bool request_sent_ = false;
  bool heard_ = false;      // a byte has come
  bool head_seen_ = false;  // the final one
  bool upgraded_ = false;
  bool response_done_ = false;
  bool keep_alive_ = false;
};

}  // namespace usher::proxy
