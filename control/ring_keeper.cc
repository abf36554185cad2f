#include "control/ring_keeper.h"

#include <utility>

#include "base/random.h"
#include "base/strings.h"

namespace usher::control {
namespace {

using namespace std::chrono_literals;

constexpr Duration retry_at_start = 50ms;
constexpr Duration retry_later = 1s;

}  // namespace

RingKeeper::RingKeeper(net::Loop& loop, const Clock& clock, Agreed agreed)
    : clock_(clock), agreed_(std::move(agreed)), again_(loop, *this) {}

void RingKeeper::start(Plan plan, RedisDoor* store) {
  plan_ = std::move(plan);
  store_ = store;
  ring_ = plan_.known;
  in_use_ = ring_.in_use(clock_.wall(), plan_.rules.lead);
  if (!store_) return again_.start(0ms);
  // A store that comes back may have lost everything: whoever knew the ring says it again at once.
  store_->when_up([this] { again_.start(0ms); });
}

void RingKeeper::rotate() {
  rotate_ = true;
  again_.start(0ms);
}

void RingKeeper::agree() {
  const std::string fresh = to_base64url(random_bytes<32>());
  const WallTime now = clock_.wall();
  if (!store_) {
    return on_agreed(
        routing::redis::AgreedRing{ring_.renewed(fresh, plan_.rules, rotate_, now), now});
  }
  asked_ = store_->store().agree_on_ring(
      plan_.name, ring_, fresh, plan_.rules, rotate_, now,
      [this](Result<routing::redis::AgreedRing> agreed) { on_agreed(std::move(agreed)); });
}

void RingKeeper::on_agreed(Result<routing::redis::AgreedRing> agreed) {
  if (!agreed) return again_.start(settled_ ? retry_later : retry_at_start);
  again_.start(plan_.ask_again);
  rotate_ = false;
  const bool first = !std::exchange(settled_, true);
  const routing::SecretRing before = std::exchange(ring_, std::move(agreed->ring));
  in_use_ = ring_.in_use(agreed->now, plan_.rules.lead);
  agreed_(before, first);
}

}  // namespace usher::control
