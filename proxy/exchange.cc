#include "proxy/exchange.h"

#include <utility>

#include "base/address.h"
#include "base/network.h"
#include "base/random.h"
#include "base/strings.h"
#include "protocol/cookies.h"
#include "protocol/forwarding.h"
#include "protocol/request_path.h"
#include "protocol/trace_context.h"
#include "proxy/requester.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

std::string make_request_id() { return to_hex(random_bytes<16>()); }

// A log line and a header of ours must not grow with what a client sends.
bool is_plausible_request_id(std::string_view id) { return !id.empty() && id.size() <= 128; }

protocol::HeadLimits response_limits(const Snapshot& snapshot) {
  return {.bytes = snapshot.settings.limits.response_head.bytes};
}

bool has_body(const protocol::RequestHead& request) {
  const bool empty = request.body.kind == protocol::BodyKind::length && request.body.length == 0;
  return request.body.kind != protocol::BodyKind::none && !empty;
}

std::string without_port(std::string_view authority) {
  if (authority.starts_with('[')) return std::string(authority.substr(0, authority.find(']') + 1));
  return std::string(authority.substr(0, authority.find(':')));
}

}  // namespace

Exchange::Exchange(Worker& worker, Requester& client, std::shared_ptr<const Snapshot> snapshot)
    : worker_(worker),
      client_(client),
      under_way_(worker.count().exchanges),
      snapshot_(std::move(snapshot)),
      started_(worker.loop().now()),
      started_wall_(worker.shared().clock.wall()),
      request_number_(client.facts().requests) {
  worker.count().requests.add();
}

Exchange::~Exchange() { drop_replica(); }

void Exchange::on_request_head(protocol::RequestHead head) {
  request_ = std::move(head);
  asked_authority_ = request_.authority;
  asked_target_ = request_.target;
  served_target_ = asked_target_;
  if (snapshot_->logs->has_texts()) request_size_ = size_of(request_);
  if (Outcome served = serve(); !served) fail(std::move(served).error());
}

void Exchange::on_request_error(Error error) { fail(std::move(error)); }

Outcome Exchange::serve() {
  client_address_ = snapshot_->forwarding.client_address(request_.headers, client_.facts());
  if (snapshot_->settings.limits.strict_paths && protocol::needs_normalising(request_.path()) &&
      !protocol::is_strict(request_.path())) {
    return Error{Errc::bad_request, Side::client, "a path above the root, or malformed"};
  }
  read_challenge();
  return find_route();
}

Outcome Exchange::find_route() {
  if (!challenge_.empty()) return find_challenge_route();
  // Behind a balancer that ends TLS the client is there already.
  if (client_.role().redirect_to_https &&
      !snapshot_->forwarding.is_secure(request_.headers, client_.facts()) &&
      !answers_challenges()) {
    const uint16_t port = client_.role().https_port;
    const std::string suffix = port == 443 ? "" : ":" + std::to_string(port);
    respond(make_redirect("https://" + asked_host() + suffix +
                              std::string(request_.target == "*" ? "/" : request_.target),
                          301));
    return {};
  }

  if (client_.facts().unknown_name && snapshot_->settings.tls.unknown_name == "misdirected") {
    return Error{Errc::misdirected, Side::client, "no certificate is for the name it asked for"};
  }
  route_ = snapshot_->routes.find(request_.authority, request_.path(), client_.role().entrance);
  return follow_route();
}

// Without its port. HTTP/1.0 may come without one: as with nginx, the address that it came to
// stands for it.
std::string Exchange::asked_host() const {
  if (!request_.authority.empty()) return without_port(request_.authority);
  const std::string address = client_.server_address();
  return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

// The store is asked when the limits of the route that the path belongs to have been passed.
Outcome Exchange::find_challenge_route() {
  route_ = snapshot_->routes.find(request_.authority, request_.path(), client_.role().entrance);
  return route_ ? follow_route() : ask_for_challenge();
}

Outcome Exchange::follow_route() {
  if (!route_) {
    return Error{Errc::no_route, Side::client,
                 std::string(request_.authority) + std::string(request_.path())};
  }
  if (route_->gave_up) {
    return Error{Errc::expression_gave_up, Side::usher, "the expression of a route's host or path"};
  }
  drop_odd_headers();
  // Whom the route believes says who the client is.
  if (route_->forwarding || detours_ > 0)
    client_address_ = forwarding().client_address(request_.headers, client_.facts());
  if (route_->compression) coding_wish_ = protocol::read_coding_wish(request_);
  if (!route_->has_limits || limited_) return enter_route();
  limited_ = true;
  return pass_limits();
}

const protocol::Forwarding& Exchange::forwarding() const {
  return route_ && route_->forwarding ? *route_->forwarding : snapshot_->forwarding;
}

void Exchange::drop_odd_headers() {
  const conf::OddHeaders rule = route_->rules.odd_headers;
  if (rule == conf::OddHeaders::pass) return;
  const char more = rule == conf::OddHeaders::underscores ? '_' : '-';
  request_.headers.remove_if(
      [more](const protocol::Field& field) { return !protocol::is_plain_name(field.name, more); });
}

Outcome Exchange::enter_route() {
  if (!challenge_.empty()) return ask_for_challenge();
  return route_->has_access_rules ? pass_access() : serve_route();
}

Outcome Exchange::serve_route() {
  if (answer_by_route() || answer_as_last()) return {};
  upstream_ = snapshot_->upstream(route_->upstream);
  if (!upstream_) return Error{Errc::no_replica, Side::usher, "no upstream " + route_->upstream};
  if (request_.body.kind == protocol::BodyKind::length && !allows_body(request_.body.length)) {
    return Error{Errc::body_too_large, Side::client,
                 std::to_string(request_.body.length) + " bytes"};
  }

  keep_asked_fields();
  if (route_->has_request_rules) {
    if (Outcome applied = apply_request_rules(); !applied) return applied;
  } else {
    forward_headers();
  }
  read_session();
  worker_.retry_budget(*upstream_).count_request(worker_.loop().now());
  body_comes_first() ? await_body() : find_home();
  return {};
}

void Exchange::forward_headers() {
  protocol::strip_hop_by_hop(request_.headers);
  forwarding().strip_identity(request_.headers, client_.facts());
  forwarding().add_forwarded(request_, client_.facts());
  name_request();
}

void Exchange::name_request() {
  const auto given_id = request_.headers.get("X-Request-Id");
  if (!given_id || !is_plausible_request_id(*given_id)) {
    request_.headers.set_alone("X-Request-Id", make_request_id());
  }
  if (!protocol::continue_trace(request_.headers)) {
    request_.headers.set("traceparent",
                         protocol::make_traceparent(random_bytes<16>(), random_bytes<8>()));
  }
}

void Exchange::read_session() {
  for (const std::string_view value :
       protocol::cookie_values(request_.headers, upstream_->cookie)) {
    claim_.cookie = worker_.cookies().open(value);
    if (claim_.cookie) break;
  }
  socketio_ = upstream_->is_socketio(request_.path());
  if (!socketio_) return;
  if (const auto sid = protocol::sid_of_query(request_.query())) claim_.sid = *sid;
  if (migrates()) {
    // What usher is to read must not be compressed by those two between themselves.
    request_.headers.remove("Sec-WebSocket-Extensions");
  }
  if (protocol::is_polling_handshake(request_)) {
    // The sid stands in the response's body, which must not be compressed for that.
    request_.headers.set_alone("Accept-Encoding", "identity");
    open_packet_.emplace();
  }
  if (open_packet_ || !claim_.sid.empty()) claim_.network = client_network();
}

std::string Exchange::client_network() const {
  const auto address = SocketAddress::from_ip(client_address_, 0);
  return std::string(network_of(address ? address->ip_bytes() : client_.facts().ip));
}

// Will this become a websocket that outlives its replica?
bool Exchange::migrates() const {
  return socketio_ && upstream_->migrate && request_.wants_websocket &&
         protocol::opens_by_websocket(request_);
}

// Whoever sends a small body slowly, or never, must not have a place at a replica meanwhile.
bool Exchange::body_comes_first() const {
  return upstream_->max_connections > 0 && has_body(request_) && !client_.request_complete() &&
         request_.body.kind == protocol::BodyKind::length && request_.body.length <= first_body;
}

void Exchange::await_body() {
  awaits_body_ = true;
  if (std::exchange(request_.expects_continue, false)) {
    // It is us that it waits for (RFC 9110 section 10.1.1).
    request_.headers.remove("Expect");
    protocol::ResponseHead go_on;
    go_on.status = 100;
    go_on.reason = "Continue";
    client_.send_head(go_on, false);
  }
  client_.resume_body();
}

void Exchange::find_home() {
  auto& sessions = worker_.sessions();
  if (auto home = sessions.find_now(claim_, *upstream_, worker_.cookies(), avoid_)) {
    return settle(std::move(*home));
  }
  // Dropping lookup_ cancels it: the answer cannot reach a dead Exchange.
  lookup_ = sessions.find(claim_, *upstream_, worker_.cookies(), avoid_,
                          [this](routing::Home home) { settle(std::move(home)); });
}

void Exchange::settle(routing::Home home) {
  home_ = std::move(home);
  if (!home_.replica) return may_wait() ? wait_for_replica() : fail_homeless();
  bring_home();
  if (claim_.cookie) open_request_.emplace(worker_.shared().live_sessions, home_.client);
  enter();
}

void Exchange::fail_homeless() {
  std::string detail = "no replica of " + upstream_->name + " is up";
  if (waited_) detail += ", after a wait of " + std::to_string(upstream_->hold.count()) + " ms";
  if (earlier_.code != Errc::none) detail += "; before that, " + to_string(earlier_);
  fail({Errc::no_replica, Side::usher, std::move(detail)});
}

// A page says itself that it waits; and only what a client asks for without a body is held, once.
bool Exchange::may_wait() const {
  const bool asks = request_.method == "GET" || request_.method == "HEAD";
  return asks && !has_body(request_) && !wants_page(request_) && !waited_ &&
         upstream_->hold.count() > 0 && !worker_.held().full();
}

void Exchange::wait_for_replica() {
  waited_ = true;
  lookup_ = worker_.held().wait(*upstream_, [this](bool up) {
    if (!up) return fail_homeless();
    avoid_ = nullptr;
    look_again();
    find_home();
  });
}

// Whoever learns where a client lives now, by moving it or by its cookie, tells its websockets.
void Exchange::bring_home() const {
  if (!home_.news || home_.outcome == routing::AffinityOutcome::sid) return;
  const Shared& shared = worker_.shared();
  const std::string& home_id = home_.replica->id;
  if (shared.live_sessions.has_elsewhere(home_.client, home_id)) {
    shared.bring_home(home_.client, home_id);
  }
}

// RFC 9110 section 9.2.2; and a body is not kept.
bool Exchange::repeatable() const {
  return protocol::is_idempotent(request_.method) && !has_body(request_);
}

// A full replica is waited for: whoever is bound to it belongs nowhere else.
void Exchange::enter() {
  if (upstream_->max_connections == 0) return lease();
  routing::ReplicaGate& gate = home_.replica->status->gate;
  if (gate.enter(upstream_->max_connections)) {
    place_ = routing::Place(gate);
    return lease();
  }
  worker_.count().queued.add();
  lookup_ = worker_.queue().wait(*home_.replica, *upstream_, [this](Result<routing::Place> place) {
    // It may have died meanwhile, and everybody in it with it.
    if (!home_.replica->status->serves_bound()) return find_home();
    if (!place) return fail(std::move(place).error());
    place_ = std::move(*place);
    lease();
  });
}

// What must not be sent twice never goes on a kept connection: a replica whose event loop has
// stalled for a second or two closes those as idle when it wakes, with the request on them unread.
void Exchange::lease() {
  ++attempts_;
  leased_ = worker_.loop().now();
  replica_id_ = home_.replica->id;
  ReplicaConnectionUser& user = *this;
  const bool fresh = fresh_connection_ || !repeatable();
  replica_ = worker_.pool().lease(
      *home_.replica, merge(upstream_->timeouts, route_->timeouts), response_limits(*snapshot_),
      user, fresh, [this] { return snapshot_->transport_to(*upstream_, *home_.replica); });
  if (replica_->ready()) on_replica_ready();
}

void Exchange::on_replica_ready() {
  replica_->send_head(request_);
  if (!early_body_.empty()) {
    body_begun_ = true;
    replica_->send_data(std::exchange(early_body_, {}));
  }
  if (client_.request_complete()) return replica_->send_end({});
  client_.resume_body();
}

bool Exchange::allows_body(uint64_t bytes) const {
  return !route_ || route_->max_body == 0 || bytes <= route_->max_body;
}

void Exchange::on_request_ahead(uint64_t bytes) {
  if (finished_ || allows_body(bytes)) return;
  fail({Errc::body_too_large, Side::client,
        "more than " + std::to_string(route_->max_body) + " bytes"});
}

void Exchange::on_request_data(std::span<const char> data) {
  if (finished_) return;
  bytes_in_ += data.size();
  on_request_ahead(bytes_in_);
  if (finished_) return;
  if (awaits_body_) {
    early_body_.append(data.data(), data.size());
    return;
  }
  body_begun_ = true;
  replica_->send_data(data);
  if (replica_->above_high_mark()) client_.pause_body();
}

void Exchange::on_request_end(protocol::Headers trailers) {
  // Its length was announced: no trailers can go with it.
  if (std::exchange(awaits_body_, false)) return find_home();
  // A request without a body may be complete before there is a replica: on_replica_ready() knows.
  if (!takes_body()) return;
  filter_request_trailers(trailers);
  replica_->send_end(trailers);
}

void Exchange::on_replica_writable() { client_.resume_body(); }

size_t Exchange::wanted() const { return client_.room(); }

void Exchange::on_replica_error(Error error) { fail(std::move(error)); }

void Exchange::on_client_gone(Error error) { fail(std::move(error)); }

void Exchange::on_drained() { fail({Errc::draining, Side::usher, "the front door is stopping"}); }

void Exchange::on_body_stalled() {
  fail({Errc::body_timeout, Side::client, "no byte of the body within the stall limit"});
}

void Exchange::on_client_stalled() {
  fail({Errc::client_stalled, Side::client, "the client stopped reading"});
}

void Exchange::respond(OwnResponse response) {
  if (!begin_response(response.head)) return;
  if (request_.method != "HEAD" && !response.body.empty()) send_body(response.body);
  finish_response({});
}

// False: what the response should say is not known, and that is answered.
bool Exchange::begin_response(protocol::ResponseHead& head) {
  if (route_ && route_->has_response_rules) apply_response_rules(head);
  if (fail_undecided()) return false;
  status_ = head.status;
  response_started_ = true;
  // The rest of a body has no taker; and a request that could not be read hides where the next
  // begins.
  client_must_close_ = (!client_.request_complete() && has_body(request_)) ||
                       request_.method.empty() || is_last_on_connection();
  if (route_ && route_->compression) compress(head);
  client_.send_head(head, client_must_close_);
  keep_response(head);
  return true;
}

bool Exchange::is_last_on_connection() const {
  const uint32_t most = snapshot_->settings.limits.connection_requests;
  return worker_.draining() || (most > 0 && client_.facts().requests >= most);
}

void Exchange::drop_replica() {
  open_request_.reset();
  place_.reset();
  if (!replica_) return;
  replica_->close();
  worker_.loop().bury(std::move(replica_));
}

void Exchange::finish(bool reuse) {
  finished_ = true;
  awaits_body_ = false;
  lookup_.reset();
  if (turn_) turn_->stop();
  if (file_) file_->next_turn.stop();
  if (compressed_) {
    compressed_->stop();
    bytes_out_ = compressed_->sent_bytes();
  }
  zone_places_.clear();
  if (replica_) worker_.pool().give_back(std::move(replica_), *upstream_);
  place_.reset();
  open_request_.reset();
  log();
  client_.end_exchange(reuse);
}

}  // namespace usher::proxy
