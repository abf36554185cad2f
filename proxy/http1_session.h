// HTTP/1.1 on an accepted connection: one exchange at a time, requests that are pipelined wait.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "protocol/http1_server_codec.h"
#include "proxy/client_connection.h"
#include "proxy/client_session.h"
#include "proxy/exchange.h"
#include "proxy/requester.h"
#include "proxy/snapshot.h"

namespace usher::proxy {

class Worker;

class Http1Session final : public ClientSession, private Requester {
 public:
  Http1Session(Worker& worker, ClientConnection& connection);

  void start() override;
  void drain(Duration grace) override;
  void break_exchanges() override;
  void on_deadline() override;
  bool in_good_standing() const override { return served_; }
  void stop() override;

 private:
  enum class Phase : uint8_t {
    waiting,
    receiving_head,
    exchange,
    flushing,   // nothing more is said; what is queued is on its way
    lingering,  // all is said; what the client still sends is dropped
    over        // the connection is closed, or a tunnel
  };

  size_t on_stream_data(std::span<const char> data) override;
  void on_stream_end() override;
  void on_stream_writable() override;
  void on_stream_hangup() override;
  void on_stream_finished() override;
  void on_stream_error(Error error) override;

  const ListenerRole& role() const override { return connection_.role(); }
  const protocol::ClientFacts& facts() const override { return connection_.facts(); }
  std::string server_address() const override { return connection_.server_address(); }
  std::string_view asked_name() const override { return connection_.asked_name(); }
  std::string_view protocol_name() const override { return "h1"; }
  bool request_complete() const override { return request_complete_; }
  void resume_body() override { stream().resume_reading(); }
  void pause_body() override { stream().pause_reading(); }
  void send_head(const protocol::ResponseHead& head, bool last) override;
  void send_data(std::span<const char> data) override;
  void send_end(const protocol::Headers& trailers) override;
  bool above_high_mark() const override { return stream().above_high_mark(); }
  void break_off() override;
  void end_exchange(bool reuse) override;
  Websocket& open_tunnel(std::unique_ptr<net::Channel> replica, TunnelRecord record) override;

  net::Stream& stream() const { return connection_.stream(); }
  bool parse_one(std::span<const char>& input);
  void begin_exchange();
  void refuse(Error error);
  void turn_away(bool page);
  void await_request(std::chrono::milliseconds limit);
  void check_progress();
  void check_flush();
  void watch_for_stall();
  bool ending() const { return phase_ == Phase::flushing || phase_ == Phase::lingering; }
  void client_left(Error error);
  void linger();

  Worker& worker_;
  ClientConnection& connection_;
  std::shared_ptr<const Snapshot> snapshot_;  // of the request under way
  protocol::Http1ServerCodec codec_;
  std::unique_ptr<Exchange> exchange_;
  std::optional<CountedIn> receives_;  // a head, of which a part has come
  uint64_t seen_in_ = 0;               // at the last look at progress
  uint64_t seen_out_ = 0;
  size_t lingered_ = 0;
  uint8_t still_ = 0;  // looks in a row without progress
  Phase phase_ = Phase::waiting;
  bool served_ = false;  // a response has been completed
  bool request_complete_ = false;
  bool request_has_body_ = false;
};

}  // namespace usher::proxy
