// One stream of an HTTP/2 connection: the requester of one exchange; after an extended CONNECT the
// client's end of a tunnel.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/channel.h"
#include "protocol/http2_server_codec.h"
#include "proxy/exchange.h"
#include "proxy/pace.h"
#include "proxy/requester.h"
#include "proxy/websocket.h"

namespace usher::proxy {

class Http2Session;
class Worker;

class Http2Stream final : public net::Mortal, private Requester, private Websocket::Owner {
 public:
  Http2Stream(Http2Session& session, protocol::StreamId id);
  ~Http2Stream() override;

  protocol::StreamId id() const { return id_; }
  // Its answer is no refusal and no failure.
  bool good() const { return good_; }

  // From the session.
  void on_request(Result<protocol::RequestHead> request);
  void on_data(std::span<const char> data);
  void on_end();
  void on_writable();
  void on_sent();
  // The client has reset it, or all is done.
  void on_closed(Error why);
  void on_turn();
  // The time to finish is over.
  void on_drained();
  // Something waits to be sent, and it is not this stream's window that keeps it.
  bool waits_its_turn() const;
  // Looks whether it moves; one that has not for too long is given up.
  void look(const Pace::Wanted& wanted);
  // The connection is closed.
  void stop();

 private:
  class Channel;

  const ListenerRole& role() const override;
  const protocol::ClientFacts& facts() const override;
  std::string server_address() const override;
  std::string_view asked_name() const override;
  std::string_view protocol_name() const override { return "h2"; }
  bool request_complete() const override { return request_complete_; }
  void resume_body() override;
  void pause_body() override { reading_ = false; }
  void send_head(const protocol::ResponseHead& head, bool last) override;
  void send_data(std::span<const char> data) override;
  void send_end(const protocol::Headers& trailers) override;
  bool above_high_mark() const override;
  size_t room() const override;
  void break_off() override;
  void end_exchange(bool reuse) override;
  Websocket& open_tunnel(std::unique_ptr<net::Channel> replica, TunnelRecord record) override;
  void on_tunnel_over() override;

  protocol::Http2ServerCodec& codec() const;
  void deliver();
  bool takes_body() const;
  void open_window();
  size_t pass_on(std::span<const char> data);
  void give_up(const Error& why);
  void forget_if_over();

  Http2Session& session_;
  const protocol::StreamId id_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<Websocket> tunnel_;
  Channel* channel_ = nullptr;  // the tunnel's, while it is open
  std::string in_;              // received and not yet taken; bounded by the stream's window
  uint64_t bytes_in_ = 0;
  Pace body_;    // of what the client sends
  Pace reader_;  // of what it is sent
  bool reading_ = true;
  bool window_open_ = false;  // or need not be
  bool delivering_ = false;
  bool end_received_ = false;
  bool request_complete_ = false;  // and the exchange knows
  bool websocket_ = false;         // or a request for one
  bool closed_ = false;            // nothing reaches the client any more
  bool good_ = false;
  bool sent_ = false;            // our end has left
  std::optional<Error> broken_;  // for the tunnel, once it has read what came before
};

}  // namespace usher::proxy
