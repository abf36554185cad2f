#include "control/secret_keeper.h"

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "base/strings.h"

namespace usher::control {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view ring_name = "secret";
constexpr std::string_view ring_file = "affinity.ring";
// The ring outlives a long holiday of every node; each question prolongs it.
constexpr Duration ring_life = 24h * 90;
// Far below SecretRing::lead: who is not cut off for long hears of a secret before it is used.
constexpr Duration ask_again = 60s;
constexpr Duration retry_after = 1s;

}  // namespace

SecretKeeper::SecretKeeper(net::Loop& loop, const Clock& clock, const StateDirectory& state,
                           const Log& log, std::function<void()> changed)
    : clock_(clock), state_(state), log_(log), changed_(std::move(changed)), again_(loop, *this) {}

void SecretKeeper::start(const conf::AffinitySettings& settings, RedisDoor* store) {
  store_ = store;
  given_ = !settings.secret.empty();
  settled_ = !store_ || given_;
  if (settled_) {
    secrets_.secrets = {given_ ? settings.secret : state_.affinity_secret()};
    return;
  }
  rules_ = {settings.rotate, settings.idle + settings.rotate, ring_life};
  ring_ = routing::SecretRing::parse(state_.read(ring_file));
  if (ring_.empty()) ring_ = routing::SecretRing(state_.affinity_secret());
  secrets_.secrets = ring_.in_use(clock_.wall());
  // A store that comes back may have lost everything: whoever knew the ring says it again at once.
  store_->when_up([this] { again_.start(0ms); });
}

Outcome SecretKeeper::rotate() {
  if (given_)
    return Error{Errc::bad_config, Side::usher, "affinity.secret is set: change it there"};
  if (!store_) return Error{Errc::bad_config, Side::usher, "there is no shared store"};
  rotate_ = true;
  again_.start(0ms);
  return {};
}

void SecretKeeper::agree() {
  asked_ = store_->store().agree_on_ring(
      ring_name, ring_, to_base64url(random_bytes<32>()), rules_, rotate_, clock_.wall(),
      [this](Result<routing::redis::AgreedRing> agreed) { on_agreed(std::move(agreed)); });
}

void SecretKeeper::on_agreed(Result<routing::redis::AgreedRing> agreed) {
  if (!agreed) return again_.start(settled_ ? retry_after : 50ms);
  again_.start(ask_again);
  rotate_ = false;
  const bool first = !std::exchange(settled_, true);
  if (agreed->ring != ring_) {
    const auto& before = ring_.entries();
    const auto& now = agreed->ring.entries();
    const bool rotated = !first && before.front().secret != now.front().secret;
    ring_ = agreed->ring;
    state_.keep(ring_file, ring_.to_text());
    if (rotated) log_.info("secret_rotated", {{"secrets", static_cast<uint64_t>(now.size())}});
  }
  const std::vector<std::string> in_use = ring_.in_use(agreed->now);
  if (first) {
    own_ = secrets_.secrets;
    std::erase_if(own_,
                  [&](const std::string& secret) { return std::ranges::count(in_use, secret); });
  }
  const bool changed = use(in_use);
  if (changed || first) changed_();
}

bool SecretKeeper::use(const std::vector<std::string>& secrets) {
  std::vector<std::string> next = secrets;
  next.insert(next.end(), own_.begin(), own_.end());
  if (next == secrets_.secrets) return false;
  const bool signs_anew = next.front() != secrets_.secrets.front();
  secrets_.secrets = std::move(next);
  if (signs_anew) {
    state_.keep_affinity_secret(secrets_.secrets.front());
    log_.info("secret_agreed", {{"secrets", static_cast<uint64_t>(secrets_.secrets.size())}});
  }
  return true;
}

}  // namespace usher::control
