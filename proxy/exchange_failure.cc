// How an Exchange fails: what that says of the replica, and whether another attempt is made.

#include <algorithm>
#include <utility>

#include "proxy/exchange.h"
#include "proxy/replica_failure.h"
#include "proxy/requester.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

// A dead replica costs one attempt; more than this many in a row is an outage.
constexpr size_t usual_attempts = 5;

unsigned most_attempts(const routing::Route& route, const routing::Upstream& upstream) {
  if (route.rules.attempts > 0) return route.rules.attempts;
  return static_cast<unsigned>(std::min(usual_attempts, upstream.replicas.size() + 1));
}

}  // namespace

Attempt Exchange::attempt(bool wants_another) const {
  return {.number = attempts_ - stale_attempts_,
          .most = upstream_ ? most_attempts(*route_, *upstream_) : 1,
          .response_started = response_started_,
          .reused_connection = replica_ && replica_->reused(),
          .repeatable = repeatable(),
          .body_begun = body_begun_,
          .sent_before = sent_before_,
          .wanted = wants_another && has_another()};
}

// A session lives at one replica alone.
bool Exchange::has_another() const {
  return claim_.sid.empty() && std::ranges::any_of(upstream_->replicas, [&](const auto& replica) {
           return replica.id != replica_id_ && replica.status->takes_new();
         });
}

// The one place where failures end.
void Exchange::fail(Error error) {
  if (finished_) return;
  const Errc code = error.code;
  error_ = std::move(error);
  note_replica_failure();
  NextStep next = decide(code, attempt(route_ && route_->retry_on.has(code)));
  if (next == NextStep::try_again && !within_budget(code)) {
    error_.detail += "; not sent again: the retry budget is spent";
    next = NextStep::error_response;
  }
  switch (next) {
    case NextStep::try_again: return try_again(code);
    case NextStep::error_response: return respond(make_error_response(code, wants_page(request_)));
    case NextStep::reset:
      if (!response_started_) status_ = 499;  // nobody is there to get one: nginx's number for it
      if (compressed_) compressed_->flush();  // what came before the failure is the client's
      client_.break_off();
      return finish(false);
  }
}

void Exchange::note_replica_failure() {
  if (!home_.replica) return;
  const bool answered = first_byte_ || (replica_ && replica_->reused());
  note_failed_attempt(worker_, *upstream_, *home_.replica, error_,
                      error_.code == Errc::replica_closed && !answered);
}

// A replica's answer is the client's, unless its status is one for which the route would rather
// have that of another. True: another one is asked.
bool Exchange::turns_down(uint16_t status) {
  const auto& statuses = route_->retry_on.statuses;
  if (statuses.empty() || std::ranges::find(statuses, status) == statuses.end()) return false;
  constexpr Errc code = Errc::replica_status;
  if (decide(code, attempt(true)) != NextStep::try_again || !within_budget(code)) return false;
  error_ = {code, Side::replica, replica_id_ + " answered with " + std::to_string(status)};
  try_again(code);
  return true;
}

// What no replica has seen costs none of them anything.
bool Exchange::within_budget(Errc failure) {
  if (row_of(failure).retry == Retry::nothing_sent) return true;
  if (worker_.retry_budget(*upstream_).take(worker_.loop().now())) return true;
  worker_.count().retries_refused.add();
  return false;
}

void Exchange::try_again(Errc failure) {
  worker_.count().retries[static_cast<size_t>(failure)].add();
  // A failure that another attempt makes good is not the request's; `attempts` tells of it.
  earlier_ = std::exchange(error_, {});
  // A stale kept-alive connection says nothing of the replica: the same one gets a fresh
  // connection.
  fresh_connection_ = true;
  if (failure == Errc::replica_closed_idle) ++stale_attempts_;
  const Retry rule = row_of(failure).retry;
  avoid_ = rule == Retry::nothing_sent || rule == Retry::if_wanted ? home_.replica : nullptr;
  sent_before_ = sent_before_ || rule != Retry::nothing_sent;
  first_byte_.reset();
  drop_replica();
  look_again();
  find_home();
}

// A request that waited for long knows replicas of then. A client must not be moved because its
// home, which has joined since, is not among them. What home_ and avoid_ point at stays.
void Exchange::look_again() {
  std::shared_ptr<const Snapshot> now = worker_.snapshot();
  const routing::Entrance& entrance = client_.role().entrance;
  const routing::Route* route =
      route_->match == conf::PathMatch::named
          ? now->routes.find_named(asked_authority_, route_->path, entrance)
          : now->routes.find(asked_authority_, served_target_, entrance);
  if (!route || route->upstream != upstream_->name) return;
  const routing::Upstream* upstream = now->upstream(route->upstream);
  if (!upstream) return;
  before_retry_ = std::exchange(snapshot_, std::move(now));
  route_ = route;
  upstream_ = upstream;
}

}  // namespace usher::proxy
