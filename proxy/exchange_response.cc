// A replica's response on its way to the client, in the order in which it comes: its head, its
// body, its end; or a websocket.

#include <optional>
#include <utility>

#include "protocol/cookies.h"
#include "protocol/handshake.h"
#include "proxy/exchange.h"
#include "proxy/requester.h"
#include "proxy/worker.h"
#include "tls/digest.h"

namespace usher::proxy {

void Exchange::on_replica_head(protocol::ResponseHead head) {
  if (head.interim()) {
    if (request_.minor_version == 0) return;  // RFC 9110 section 15.2
    protocol::strip_hop_by_hop(head.headers);
    client_.send_head(head, false);
    return slow_down();
  }
  if (!first_byte_) first_byte_ = worker_.loop().now();
  if (head.status == 101) return upgrade(std::move(head));
  if (turns_down(head.status)) return;

  protocol::strip_hop_by_hop(head.headers);
  if (route_->has_response_rules) apply_response_rules(head);
  if (fail_undecided()) return;
  add_cookie(head.headers);
  if (open_packet_ && (head.status != 200 || head.headers.has("Content-Encoding")))
    open_packet_.reset();
  diagnosis_ = Diagnosis::begin(request_, head, socketio_);
  if (route_->compression) compress(head);
  status_ = head.status;
  response_started_ = true;
  // A response that overtakes its request's body ends the connection: the rest of the body has no
  // taker.
  client_must_close_ = !client_.request_complete() || is_last_on_connection();
  client_.send_head(head, client_must_close_);
  keep_response(head);
}

// Issued with the first response whatever it is, and again only when it changes.
void Exchange::add_cookie(protocol::Headers& headers) const {
  if (!home_.set_cookie) return;
  const std::string value = worker_.cookies().seal(home_.client, home_.binding);
  headers.append("Set-Cookie", protocol::make_set_cookie(
                                   upstream_->cookie, value,
                                   {.secure = client_.facts().secure,
                                    .framed = snapshot_->settings.affinity.same_site == "none"}));
}

void Exchange::on_replica_data(std::span<const char> data) {
  if (diagnosis_) diagnosis_->read(data);
  if (!open_packet_) return pass_on(data);
  held_.append(data.data(), data.size());
  switch (open_packet_->feed(data)) {
    case protocol::OpenPacketReader::State::reading: return;
    case protocol::OpenPacketReader::State::not_an_open_packet: return let_go();
    case protocol::OpenPacketReader::State::found: return learn_sid();
  }
}

// Another node may get the client's next request before this store has its sid: so the end of the
// response waits for the store, at most store.timeout.
void Exchange::learn_sid() {
  const std::string sid = open_packet_->sid();
  const routing::Binding opened_at{home_.replica->id, home_.binding.epoch};
  lookup_ = worker_.sessions().learn_sid(sid, opened_at, claim_.network, [this] {
    let_go();
    if (held_end_) return finish_response(*held_end_);
    replica_->resume();
  });
  if (lookup_.active()) return replica_->pause();
  worker_.count().sids_not_kept.add();
  let_go();
}

// What was held back of a body that is, or may be, a handshake's.
void Exchange::let_go() {
  open_packet_.reset();
  const std::string held = std::exchange(held_, {});
  pass_on(held);
}

void Exchange::pass_on(std::span<const char> data) {
  send_body(data);
  slow_down();
}

// Every body leaves through here.
void Exchange::send_body(std::span<const char> data) {
  if (compressed_) return compressed_->send(data);
  bytes_out_ += data.size();
  client_.send_data(data);
}

// The answer to HEAD says what that to GET would.
void Exchange::compress(protocol::ResponseHead& head) {
  const protocol::BodyFraming body = head.body;
  if (!route_->compression->apply(coding_wish_, started_wall_, head)) return;
  if (request_.method == "HEAD" || body.kind == protocol::BodyKind::none) return;
  const auto length =
      body.kind == protocol::BodyKind::length ? std::optional(body.length) : std::nullopt;
  compressed_ = std::make_unique<CompressedBody>(worker_.loop(), client_,
                                                 route_->compression->level(), length);
}

// A client that reads slowly slows the replica down.
void Exchange::slow_down() {
  if (client_.above_high_mark() && replica_) replica_->pause();
}

void Exchange::on_client_writable() {
  if (file_) return send_file();
  if (replica_ && !lookup_.active()) replica_->resume();
}

void Exchange::on_replica_end(protocol::Headers trailers) {
  if (route_->has_response_rules) filter_response_trailers(trailers);
  if (lookup_.active()) {
    held_end_ = std::move(trailers);
    return;
  }
  if (open_packet_) let_go();
  finish_response(trailers);
}

void Exchange::finish_response(const protocol::Headers& trailers) {
  if (compressed_) compressed_->end();
  client_.send_end(trailers);
  finish(!client_must_close_);
}

void Exchange::upgrade(protocol::ResponseHead head) {
  const auto accept = tls::websocket_accept(request_.headers.get("Sec-WebSocket-Key").value_or(""));
  if (auto valid = protocol::check_websocket_response(request_, head, accept); !valid) {
    return fail(std::move(valid).error());
  }
  protocol::strip_hop_by_hop(head.headers);
  if (route_->has_response_rules) apply_response_rules(head);
  if (fail_undecided()) return;
  add_cookie(head.headers);
  status_ = 101;
  response_started_ = true;
  finished_ = true;
  open_request_.reset();
  count_answer();
  client_.send_head(head, false);
  TunnelRecord record = make_tunnel_record(head);
  std::unique_ptr<net::Stream> stream = replica_->take_stream();
  worker_.loop().bury(std::move(replica_));
  // Its client may have moved while the replica was slow to answer, and nobody has told it.
  std::optional<routing::Home> home;
  if (claim_.cookie) {
    home = worker_.sessions().find_now(claim_, *upstream_, worker_.cookies());
  }
  Websocket& websocket = client_.open_tunnel(std::move(stream), std::move(record));
  if (!claim_.cookie) return;
  if (!home) return worker_.check_home(websocket);
  if (home->replica && home->replica->id != replica_id_) worker_.part_with_moved(websocket);
}

}  // namespace usher::proxy
