#include "control/secret_keeper.h"

#include <algorithm>

namespace usher::control {
namespace {

// The key outlives a long holiday of every node; it is prolonged every hour.
constexpr std::chrono::hours secret_life{24 * 90};
constexpr std::chrono::milliseconds prolong_after{3'600'000};
constexpr std::chrono::milliseconds retry_after{1000};
constexpr size_t most_secrets = 4;

}  // namespace

SecretKeeper::SecretKeeper(net::Loop& loop, const StateDirectory& state, const Log& log,
                           std::function<void()> changed)
    : state_(state), log_(log), changed_(std::move(changed)), again_(loop, *this) {}

void SecretKeeper::start(const conf::AffinitySettings& settings, RedisDoor* store) {
  store_ = store;
  secrets_.secrets = {settings.secret.empty() ? state_.affinity_secret() : settings.secret};
  settled_ = !store_ || !settings.secret.empty();
  if (settled_) return;
  // A store that comes back may have lost everything: whoever knew the secret says it again at
  // once.
  store_->when_up([this] { again_.start(std::chrono::milliseconds(0)); });
}

void SecretKeeper::agree() {
  asked_ = store_->store().agree_on_secret(
      secrets_.secrets.front(), secret_life,
      [this](Result<std::string> agreed) { on_agreed(std::move(agreed)); });
}

void SecretKeeper::on_agreed(Result<std::string> agreed) {
  if (!agreed) return again_.start(settled_ ? retry_after : std::chrono::milliseconds(50));
  again_.start(prolong_after);
  const bool first = !std::exchange(settled_, true);
  auto& secrets = secrets_.secrets;
  if (*agreed != secrets.front()) {
    std::erase(secrets, *agreed);
    secrets.insert(secrets.begin(), *agreed);
    if (secrets.size() > most_secrets) secrets.resize(most_secrets);
    state_.keep_affinity_secret(*agreed);
    log_.info("secret_agreed", {{"secrets", static_cast<uint64_t>(secrets.size())}});
    return changed_();
  }
  if (first) changed_();
}

}  // namespace usher::control
