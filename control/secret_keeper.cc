#include "control/secret_keeper.h"

#include <algorithm>
#include <utility>

namespace usher::control {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view ring_name = "secret";
constexpr std::string_view ring_file = "affinity.ring";
// The ring outlives a long holiday of every node; each question prolongs it.
constexpr Duration ring_life = 24h * 90;
// Far below SecretRing::lead: who is not cut off for long hears of a secret before it is used.
constexpr Duration ask_again = 60s;

}  // namespace

SecretKeeper::SecretKeeper(net::Loop& loop, const Clock& clock, const StateDirectory& state,
                           const Log& log, std::function<void()> changed)
    : state_(state),
      log_(log),
      changed_(std::move(changed)),
      ring_(loop, clock,
            [this](const routing::SecretRing& before, bool first) { on_agreed(before, first); }) {}

void SecretKeeper::start(const conf::AffinitySettings& settings, RedisDoor* store) {
  given_ = !settings.secret.empty();
  alone_ = !store || given_;
  if (alone_) {
    secrets_.secrets = {given_ ? settings.secret : state_.affinity_secret()};
    return;
  }
  auto known = routing::SecretRing::parse(state_.read(ring_file));
  if (known.empty()) known = routing::SecretRing(state_.affinity_secret());
  ring_.start({.name = std::string(ring_name),
               .rules = {.rotate_after = settings.rotate,
                         .keep = settings.idle + settings.rotate,
                         .life = ring_life},
               .ask_again = ask_again,
               .known = std::move(known)},
              store);
  secrets_.secrets = ring_.in_use();
}

Outcome SecretKeeper::rotate() {
  if (given_)
    return Error{Errc::bad_config, Side::usher, "affinity.secret is set: change it there"};
  if (alone_) return Error{Errc::bad_config, Side::usher, "there is no shared store"};
  ring_.rotate();
  return {};
}

void SecretKeeper::on_agreed(const routing::SecretRing& before, bool first) {
  if (ring_.ring() != before) {
    const auto& now = ring_.ring().entries();
    const bool rotated = !first && before.entries().front().secret != now.front().secret;
    state_.keep(ring_file, ring_.ring().to_text());
    if (rotated) log_.info("secret_rotated", {{"secrets", static_cast<uint64_t>(now.size())}});
  }
  const std::vector<std::string>& in_use = ring_.in_use();
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
