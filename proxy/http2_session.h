// HTTP/2 on an accepted connection: its streams, each with its exchange or its tunnel; what
// concerns all of them, which is deadlines, floods and the end.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/seeded_hash.h"
#include "protocol/http2_server_codec.h"
#include "proxy/client_connection.h"
#include "proxy/client_session.h"
#include "proxy/http2_stream.h"
#include "proxy/pace.h"

namespace usher::proxy {

class Worker;

class Http2Session final : public ClientSession, private net::TurnEnd {
 public:
  Http2Session(Worker& worker, ClientConnection& connection);
  ~Http2Session() override;

  void start() override;
  void drain(Duration grace) override;
  void break_exchanges() override;
  void on_deadline() override;
  bool give_way() override;
  bool in_good_standing() const override { return codec_.resets() == 0 && !flooded_; }
  void stop() override;

  // For its streams.
  Worker& worker() { return worker_; }
  ClientConnection& connection() { return connection_; }
  protocol::Http2ServerCodec& codec() { return codec_; }
  // Something is to be sent.
  void flush_soon();
  // on_turn() of this stream is called at the end of the turn.
  void act_soon(protocol::StreamId stream);
  // Neither the client nor a replica has to do with it any more.
  void forget(Http2Stream& stream);

 private:
  enum class Phase : uint8_t {
    open,
    ending,     // GOAWAY has been sent; the streams that there are go on
    flushing,   // all is said; what is queued is on its way
    lingering,  // what the client still sends is dropped
    over
  };

  size_t on_stream_data(std::span<const char> data) override;
  void on_stream_end() override;
  void on_stream_writable() override;
  void on_stream_hangup() override {}
  void on_stream_finished() override;
  void on_stream_error(Error error) override;
  void on_turn_end() override;

  net::Stream& stream() const { return connection_.stream(); }
  bool ending() const { return phase_ == Phase::flushing || phase_ == Phase::lingering; }
  void act();
  void act_on(const protocol::Http2Event& event);
  void begin(protocol::StreamId id);
  void turn_away(protocol::StreamId id, bool page);
  bool take_descriptor();
  void flush();
  void fail(Error error);
  void close(Error error);
  std::vector<Http2Stream*> all_streams() const;
  void end();
  void finish();
  void look();
  void give_up();
  void look_again();
  void watch();

  Worker& worker_;
  ClientConnection& connection_;
  std::shared_ptr<const Snapshot> snapshot_;  // of the connection's beginning
  protocol::Http2ServerCodec codec_;
  std::unordered_map<protocol::StreamId, std::unique_ptr<Http2Stream>, SeededHash> streams_;
  std::vector<protocol::Http2Event> events_;
  std::vector<protocol::StreamId> acting_;  // those whose turn comes at the end of this one
  Pace reader_;                             // of what the connection is sent
  const MonotonicTime began_;
  size_t lingered_ = 0;
  uint64_t more_ = 0;  // requests beyond the first one, in the DescriptorBudget
  Phase phase_ = Phase::open;
  bool gives_way_ = false;  // it ends without being waited for
  bool announced_ = false;  // that it will end
  bool served_ = false;     // a request has come
  bool flooded_ = false;
  bool turn_asked_ = false;
  bool idle_ = true;  // no stream: the deadline is that of a next request
};

}  // namespace usher::proxy
