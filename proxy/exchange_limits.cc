// What a route's limits of rate and of connections make of an Exchange: it goes on, it waits until
// the rate allows it, or it is refused.

#include <algorithm>

#include "proxy/exchange.h"
#include "proxy/requester.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

// Each holds the head of its request, at most limits.head.
constexpr uint64_t most_delayed = 4096;

std::string in_requests(uint64_t thousandths) {
  std::string fraction = std::to_string(1000 + thousandths % 1000);
  return std::to_string(thousandths / 1000) + "." + fraction.substr(1);
}

}  // namespace

// In nginx's order: the rate first, so that who waits for it takes no connection's place.
Outcome Exchange::pass_limits() {
  const std::vector<conf::RateLimitSettings>& limits = route_->rules.rate_limits;
  if (limits.empty()) return enter_zones();
  const RateVerdict verdict = snapshot_->limit_zones.admit(
      limits, [this](const conf::Template& key) { return expand(key, variables(nullptr)); },
      worker_.loop().now());
  if (!undecided_.empty()) return undecided();
  const bool crowded = verdict.delay.count() > 0 && worker_.count().delayed.value() >= most_delayed;
  if (verdict.refused || crowded) {
    std::string detail = "zone " + std::string(verdict.zone) + ", " + in_requests(verdict.excess) +
                         " requests ahead";
    if (crowded) detail += "; too many wait already";
    refuse({Errc::rate_limited, Side::client, std::move(detail)}, route_->rules.rate_limit_status,
           std::max(verdict.again_after, std::chrono::ceil<std::chrono::seconds>(verdict.delay)));
    return {};
  }
  if (verdict.delay.count() == 0) return enter_zones();
  turn_ = std::make_unique<Turn>(worker_.count().delayed, worker_.loop(), *this);
  turn_->timer.start(verdict.delay);
  return {};
}

void Exchange::on_turn() {
  turn_->stop();
  if (Outcome served = enter_zones(); !served) fail(std::move(served).error());
}

Outcome Exchange::enter_zones() {
  ConnectionVerdict verdict = snapshot_->limit_zones.enter(
      route_->rules.connection_limits,
      [this](const conf::Template& key) { return expand(key, variables(nullptr)); });
  if (!undecided_.empty()) return undecided();
  if (!verdict.full_zone.empty()) {
    refuse({Errc::connection_limited, Side::client, "zone " + std::string(verdict.full_zone)},
           route_->rules.connection_limit_status, std::chrono::seconds(1));
    return {};
  }
  zone_places_ = std::move(verdict.places);
  return enter_route();
}

// With the status that the route says, 444 being none.
void Exchange::refuse(Error error, uint16_t status, std::chrono::seconds again_after) {
  const Errc code = error.code;
  error_ = std::move(error);
  if (status == no_answer) return close_without_answer();
  respond(make_refusal(code, status, wants_page(request_), again_after));
}

}  // namespace usher::proxy
