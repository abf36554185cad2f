#include "proxy/replacement.h"

#include <algorithm>

#include "protocol/handshake.h"
#include "protocol/kept_request.h"
#include "proxy/replica_failure.h"
#include "proxy/worker.h"
#include "tls/digest.h"

namespace usher::proxy {
namespace {

// A replica that takes longer to answer a handshake is no refuge.
constexpr std::chrono::milliseconds handshake_limit{5000};

}  // namespace

Replacement::Replacement(Worker& worker, const TunnelRecord& record, User& user, Aim aim,
                         const routing::ReplicaStatus* newcomer)
    : worker_(worker), record_(record), user_(user), aim_(aim), turn_(worker.loop(), *this) {
  claim_.turn_at = newcomer;
}

Replacement::~Replacement() { close(); }

void Replacement::start() { turn_.start(std::chrono::milliseconds(0)); }

void Replacement::close() {
  if (over_) return;
  over_ = true;
  lookup_.reset();
  place_.reset();
  turn_.stop();
  if (!replica_) return;
  replica_->close();
  worker_.loop().bury(std::move(replica_));
}

// As any request of the client's would be served now.
void Replacement::begin() {
  snapshot_ = worker_.snapshot();
  handshake_ = protocol::recall_handshake(record_.migration->handshake);
  const std::string& name = record_.migration->route;
  const routing::Route* route =
      name.empty() ? snapshot_->routes.find(record_.host, record_.target, *record_.entrance)
                   : snapshot_->routes.find_named(record_.host, name, *record_.entrance);
  upstream_ = route ? snapshot_->upstream(route->upstream) : nullptr;
  if (!upstream_ || !upstream_->migrate || !upstream_->is_socketio(record_.target)) {
    return fail({Errc::no_route, Side::usher, "its path leads elsewhere now"}, true);
  }
  timeouts_ = merge(upstream_->timeouts, route->timeouts);
  timeouts_.connect = std::min(timeouts_.connect, handshake_limit);
  timeouts_.first_byte = std::min(timeouts_.first_byte, handshake_limit);
  // Whoever asks the store while nothing can be served asks in vain; thousands may wait.
  const bool any = std::ranges::any_of(upstream_->replicas, [](const routing::Replica& replica) {
    return replica.status->serves_bound();
  });
  if (!any) return fail({Errc::no_replica, Side::usher, "no replica is up"});
  if (aim_ == Aim::any_other) avoid_ = upstream_->find(record_.replica);
  const auto& cookies = worker_.cookies();
  claim_.cookie = cookies.open(cookies.seal(record_.session, {record_.replica, record_.epoch}));
  find_home();
}

void Replacement::find_home() {
  auto& sessions = worker_.sessions();
  if (auto home = sessions.find_now(claim_, *upstream_, worker_.cookies(), avoid_)) {
    return settle(std::move(*home));
  }
  lookup_ = sessions.find(claim_, *upstream_, worker_.cookies(), avoid_,
                          [this](routing::Home home) { settle(std::move(home)); });
}

void Replacement::settle(routing::Home home) {
  home_ = std::move(home);
  if (!home_.replica) return fail({Errc::no_replica, Side::usher, "no other replica is up"});
  const auto spacing = std::chrono::nanoseconds(std::chrono::seconds(1)) / upstream_->migrate_rate;
  const auto now = worker_.loop().now();
  turn_.start(home_.replica->status->book_move(now, spacing));
}

void Replacement::on_turn() {
  if (!upstream_) return begin();
  if (!gave_up_lost_home()) enter();
}

// It may have died while others had their turn.
bool Replacement::gave_up_lost_home() {
  if (home_.replica->status->serves_bound()) return false;
  fail({Errc::no_replica, Side::usher, home_.replica->id + " went down"});
  return true;
}

void Replacement::enter() {
  if (upstream_->max_connections == 0) return lease();
  routing::ReplicaGate& gate = home_.replica->status->gate;
  if (gate.enter(upstream_->max_connections)) {
    place_ = routing::Place(gate);
    return lease();
  }
  worker_.count().queued.add();
  lookup_ = worker_.queue().wait(*home_.replica, *upstream_, [this](Result<routing::Place> place) {
    if (gave_up_lost_home()) return;
    if (!place) return fail(std::move(place).error());
    place_ = std::move(*place);
    lease();
  });
}

void Replacement::lease() {
  ReplicaConnectionUser& user = *this;
  const protocol::HeadLimits limits{.bytes = snapshot_->settings.limits.response_head.bytes};
  replica_ = worker_.pool().lease(*home_.replica, timeouts_, limits, user, true, [this] {
    return snapshot_->transport_to(*upstream_, *home_.replica);
  });
  if (replica_->ready()) on_replica_ready();
}

void Replacement::on_replica_ready() {
  replica_->send_head(handshake_);
  replica_->send_end({});
}

void Replacement::on_replica_head(protocol::ResponseHead head) {
  if (head.interim()) return;
  if (head.status != 101) {
    // A replica that is starting or too busy may say otherwise soon.
    const bool final = head.status < 500 && head.status != 429;
    return fail({Errc::replica_bad_upgrade, Side::replica,
                 home_.replica->id + " answered " + std::to_string(head.status)},
                final);
  }
  const auto accept =
      tls::websocket_accept(handshake_.headers.get("Sec-WebSocket-Key").value_or(""));
  if (auto valid = protocol::check_websocket_response(handshake_, head, accept); !valid) {
    return fail(std::move(valid).error(), true);
  }
  Opened opened{replica_->take_stream(), home_, std::move(place_)};
  worker_.loop().bury(std::move(replica_));
  over_ = true;
  user_.on_replaced(std::move(opened));
}

void Replacement::on_replica_end(protocol::Headers) {
  fail({Errc::replica_closed, Side::replica, "no websocket"});
}

void Replacement::on_replica_error(Error error) {
  note_failed_attempt(worker_, *upstream_, *home_.replica, error,
                      error.code == Errc::replica_closed);
  fail(std::move(error));
}

void Replacement::fail(Error error, bool final) {
  if (over_) return;
  close();
  user_.on_not_replaced(std::move(error), final);
}

}  // namespace usher::proxy
