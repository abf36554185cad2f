#include "proxy/http2_stream.h"

#include <utility>

#include "proxy/http2_session.h"
#include "proxy/worker.h"

namespace usher::proxy {

// The client's end of a tunnel. The tunnel owns it, and is owned by the stream.
class Http2Stream::Channel final : public net::Channel {
 public:
  explicit Channel(Http2Stream& stream) : stream_(stream) {}
  ~Channel() override { close_quietly(); }

  void set_handler(net::StreamHandler& handler) override { handler_ = &handler; }
  net::StreamHandler& handler() { return *handler_; }

  void write(std::span<const char> bytes) override {
    if (!closed_ && !finishing_) stream_.send_data(bytes);
  }
  void finish() override {
    if (closed_ || std::exchange(finishing_, true)) return;
    stream_.send_end({});
  }
  void deliver_before_failing() override {}  // always so
  bool broken() const override { return closed_ || stream_.closed_; }
  void close() override {
    if (closed_) return;
    // RFC 8441 section 5: what is not ended in order is cancelled.
    if (!stream_.closed_ && !(stream_.sent_ && stream_.end_received_)) {
      stream_.codec().reset(stream_.id_, protocol::Http2Code::cancel);
      stream_.session_.flush_soon();
    }
    close_quietly();
  }
  void abort() override { close(); }

  void pause_reading() override { stream_.reading_ = false; }
  void resume_reading() override { stream_.resume_body(); }
  bool reading() const override { return stream_.reading_; }

  bool closed() const override { return closed_; }
  bool finished() const override { return finishing_ && stream_.sent_; }
  bool above_high_mark() const override { return !closed_ && stream_.above_high_mark(); }
  size_t room() const override {
    return closed_ ? protocol::Http2ServerCodec::held_mark : stream_.room();
  }
  size_t queued() const override { return closed_ ? 0 : stream_.codec().queued(stream_.id_); }
  uint64_t bytes_in() const override { return closed_ ? bytes_in_ : stream_.bytes_in_; }
  uint64_t bytes_out() const override {
    return closed_ ? bytes_out_ : stream_.codec().sent(stream_.id_);
  }

  void close_quietly() {
    if (closed_) return;
    bytes_in_ = bytes_in();
    bytes_out_ = bytes_out();
    closed_ = true;
    stream_.channel_ = nullptr;
  }

 private:
  Http2Stream& stream_;
  net::StreamHandler* handler_ = nullptr;
  uint64_t bytes_in_ = 0;  // when it was closed
  uint64_t bytes_out_ = 0;
  bool finishing_ = false;
  bool closed_ = false;
};

Http2Stream::Http2Stream(Http2Session& session, protocol::StreamId id)
    : session_(session), id_(id) {}

Http2Stream::~Http2Stream() = default;

protocol::Http2ServerCodec& Http2Stream::codec() const { return session_.codec(); }
const ListenerRole& Http2Stream::role() const { return session_.connection().role(); }
const protocol::ClientFacts& Http2Stream::facts() const { return session_.connection().facts(); }

std::string Http2Stream::server_address() const { return session_.connection().server_address(); }

std::string_view Http2Stream::asked_name() const { return session_.connection().asked_name(); }

// --- From the client
// --------------------------------------------------------------------------------

void Http2Stream::on_request(Result<protocol::RequestHead> request) {
  // Each request is served by what is believed when it comes.
  Requester& requester = *this;
  session_.connection().count_request();
  exchange_ =
      std::make_unique<Exchange>(session_.worker(), requester, session_.worker().snapshot());
  if (!request) return exchange_->on_request_error(std::move(request).error());
  // To HTTP/1.1 a websocket's handshake has no body; what follows it is the websocket's.
  websocket_ = request_complete_ = request->wants_websocket;
  window_open_ =
      request->body.kind == protocol::BodyKind::length && request->body.length <= first_body;
  exchange_->on_request_head(std::move(request).value());
}

bool Http2Stream::takes_body() const {
  if (!reading_) return false;
  return channel_ ? true : exchange_ && !websocket_ && exchange_->takes_body();
}

void Http2Stream::open_window() {
  if (window_open_ || closed_ || codec().ended(id_)) return;
  window_open_ = true;
  codec().open_window(id_);
  session_.flush_soon();
}

void Http2Stream::on_data(std::span<const char> data) {
  bytes_in_ += data.size();
  size_t taken = 0;
  if (in_.empty() && takes_body()) taken = pass_on(data);
  // Of a request whose response is over nothing more is wanted.
  if (!exchange_ && !tunnel_) return;
  in_.append(data.data() + taken, data.size() - taken);
  if (exchange_ && !websocket_ && bytes_in_ == in_.size()) exchange_->on_request_ahead(bytes_in_);
}

// Returns how much was taken. The client may send as much again.
size_t Http2Stream::pass_on(std::span<const char> data) {
  size_t taken = data.size();
  if (channel_) {
    delivering_ = true;
    taken = channel_->handler().on_stream_data(data);
    delivering_ = false;
    if (taken < data.size()) reading_ = false;
  } else {
    exchange_->on_request_data(data);
  }
  if (closed_) return data.size();
  codec().consume(id_, taken);
  session_.flush_soon();
  return taken;
}

void Http2Stream::on_end() {
  end_received_ = true;
  deliver();
}

// What has come goes on, as far as it is wanted; then its end.
void Http2Stream::deliver() {
  if (delivering_) return;
  while (!in_.empty() && takes_body()) {
    const std::string held = std::exchange(in_, {});
    const size_t taken = pass_on(held);
    if (taken < held.size()) in_ = held.substr(taken);
  }
  if (!in_.empty()) return;
  if (channel_ && reading_ && broken_) {
    const Error why = *std::exchange(broken_, std::nullopt);
    Channel& channel = *channel_;
    channel.close_quietly();
    return channel.handler().on_stream_error(why);
  }
  if (!end_received_) return;
  if (channel_) {
    if (reading_ && !std::exchange(request_complete_, true)) channel_->handler().on_stream_end();
    return;
  }
  if (!exchange_ || request_complete_) return;
  protocol::Headers trailers = codec().take_trailers(id_);
  request_complete_ = true;
  exchange_->on_request_end(std::move(trailers));
}

void Http2Stream::on_writable() {
  if (exchange_) return exchange_->on_client_writable();
  if (channel_) channel_->handler().on_stream_writable();
}

void Http2Stream::on_sent() {
  sent_ = true;
  if (channel_) channel_->handler().on_stream_finished();
}

void Http2Stream::on_closed(Error why) {
  if (closed_) return;
  closed_ = true;
  if (exchange_) exchange_->on_client_gone(std::move(why));
  if (channel_ && !(sent_ && end_received_)) {
    broken_ = std::move(why);
    deliver();
  }
  forget_if_over();
}

void Http2Stream::on_turn() { deliver(); }

void Http2Stream::on_drained() {
  if (exchange_) exchange_->on_drained();
}

// A tunnel has a deadline of its own.
bool Http2Stream::waits_its_turn() const {
  return !tunnel_ && codec().waits(id_) && !codec().shut(id_);
}

void Http2Stream::look(const Pace::Wanted& wanted) {
  if (tunnel_) return;
  const auto now = session_.worker().loop().now();
  const uint64_t out = codec().sent(id_);
  const bool waits_for_reader = codec().waits(id_);
  const bool waits_for_body = !waits_for_reader && exchange_ && !request_complete_ &&
                              !end_received_ && in_.empty() && takes_body();
  const bool shut_out = waits_for_reader && codec().shut(id_);
  const bool no_reader = reader_.stuck(out, shut_out, wanted, now);
  if (body_.stuck(bytes_in_ + out, waits_for_body, wanted, now))
    return exchange_->on_body_stalled();
  if (!no_reader) return;
  reader_.restart();
  give_up({Errc::client_stalled, Side::client, "the client does not take what it is sent"});
}

void Http2Stream::give_up(const Error& why) {
  if (exchange_) {
    exchange_->on_client_stalled();
  } else {
    session_.connection().note_failure(LogLevel::info, why);
  }
  codec().reset(id_, protocol::Http2Code::cancel);
  session_.flush_soon();
}

void Http2Stream::stop() {
  closed_ = true;
  net::Loop& loop = session_.worker().loop();
  if (exchange_) loop.bury(std::move(exchange_));
  if (tunnel_) tunnel_->close();
}

// --- From the exchange
// ------------------------------------------------------------------------------

// Nothing is delivered inside the call that asks for it.
void Http2Stream::resume_body() {
  open_window();
  if (reading_ && in_.empty() && !broken_) return;
  reading_ = true;
  session_.act_soon(id_);
}

void Http2Stream::send_head(const protocol::ResponseHead& head, bool) {
  good_ = is_good(head);
  codec().send_head(id_, head);
  session_.flush_soon();
}

void Http2Stream::send_data(std::span<const char> data) {
  codec().send_data(id_, data);
  session_.flush_soon();
}

void Http2Stream::send_end(const protocol::Headers& trailers) {
  codec().send_end(id_, trailers);
  session_.flush_soon();
}

bool Http2Stream::above_high_mark() const { return codec().above_high_mark(id_); }

size_t Http2Stream::room() const { return codec().room(id_); }

void Http2Stream::break_off() {
  codec().break_off(id_);
  session_.flush_soon();
}

// The stream goes on until what is queued has left; of what the client still sends nothing is
// wanted.
void Http2Stream::end_exchange(bool) {
  session_.worker().loop().bury(std::move(exchange_));
  std::string().swap(in_);
  codec().refuse_rest(id_);
  session_.flush_soon();
  session_.act_soon(id_);
  forget_if_over();
}

Websocket& Http2Stream::open_tunnel(std::unique_ptr<net::Channel> replica, TunnelRecord record) {
  Worker& worker = session_.worker();
  worker.loop().bury(std::move(exchange_));
  request_complete_ = false;
  auto channel = std::make_unique<Channel>(*this);
  channel_ = channel.get();
  Websocket::Owner& owner = *this;
  tunnel_ =
      make_websocket(worker, owner, std::move(channel), std::move(replica), std::move(record));
  reading_ = true;
  tunnel_->start();
  session_.act_soon(id_);
  return *tunnel_;
}

void Http2Stream::on_tunnel_over() {
  channel_ = nullptr;
  session_.worker().loop().bury(std::move(tunnel_));
  forget_if_over();
}

void Http2Stream::forget_if_over() {
  if (closed_ && !exchange_ && !tunnel_) session_.forget(*this);
}

}  // namespace usher::proxy
