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
#include "proxy/pace.h"
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
  bool give_way() override;
  bool in_good_standing() const override { return true; }
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
  size_t wanted() const override;
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
  size_t room() const override { return stream().room(); }
  void break_off() override;
  void end_exchange(bool reuse) override;
  Websocket& open_tunnel(std::unique_ptr<net::Channel> replica, TunnelRecord record) override;

  net::Stream& stream() const { return connection_.stream(); }
  bool parse_one(std::span<const char>& input);
  void look_ahead(std::span<const char> input);
  void begin_exchange();
  void refuse(Error error);
  void turn_away(bool page);
  void await_request(std::chrono::milliseconds limit);
  void check_progress();
  void check_flush();
  void watch_for_stall();
  void look_again();
  Pace::Wanted wanted_progress() const;
  bool ending() const { return phase_ == Phase::flushing || phase_ == Phase::lingering; }
  void client_left(Error error);
  void linger();

  Worker& worker_;
  ClientConnection& connection_;
  std::shared_ptr<const Snapshot> snapshot_;  // of the request under way
  protocol::Http1ServerCodec codec_;
  std::unique_ptr<Exchange> exchange_;
  std::optional<CountedIn> receives_;  // a head, of which a part has come
  Pace body_;                          // of what the client sends
  Pace reader_;                        // of what it is sent
  size_t lingered_ = 0;
  Phase phase_ = Phase::waiting;
  bool good_ = false;  // the answer under way: it is no refusal and no failure
  bool request_complete_ = false;
  bool request_has_body_ = false;
};

}  // namespace usher::proxy
