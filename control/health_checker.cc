#include "control/health_checker.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "control/probe.h"
#include "net/timer.h"

namespace usher::control {
namespace {

constexpr std::string_view fallback_path = "/health";
constexpr std::string_view version_path = "/api/version";
// Between two probes, however many requests fail.
constexpr std::chrono::milliseconds shortest_pause{1000};
// Between two questions for the version of a replica that stays up.
constexpr std::chrono::milliseconds version_interval{60'000};
constexpr size_t most_version_body = 4096;
constexpr size_t longest_version = 64;

bool healthy(const ProbeAnswer& answer) { return answer.status >= 200 && answer.status < 300; }

}  // namespace

// {"version": "0.11.0", …}
std::string version_in(std::string_view body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("version") || !json["version"].is_string()) return {};
  std::string version = json["version"];
  const bool plain = version.size() <= longest_version &&
                     std::all_of(version.begin(), version.end(),
                                 [](char c) { return c > 0x20 && c < 0x7f && c != '"'; });
  return plain ? version : std::string();
}

// One replica under observation.
class HealthChecker::Watch final : private Probe::Asker {
 public:
  Watch(HealthChecker& owner, const routing::Replica& replica, const conf::HealthSettings& settings,
        std::shared_ptr<const tls::ClientContext> tls)
      : owner_(owner), replica_(replica), next_(owner.loop_, *this) {
    reconfigure(replica, settings, std::move(tls));
    ask();
  }
  ~Watch() { bury_probe(); }

  void reconfigure(const routing::Replica& replica, const conf::HealthSettings& settings,
                   std::shared_ptr<const tls::ClientContext> tls) {
    replica_ = replica;
    settings_ = settings;
    tls_ = std::move(tls);
  }

  void look_now() {
    if (probe_) return;
    const MonotonicTime now = owner_.loop_.now();
    due_ = std::min(due_, std::max(now, asked_ + shortest_pause));
    next_.start(std::chrono::ceil<std::chrono::milliseconds>(due_ - now));
  }

  const std::string& version() const { return version_; }

  bool seen = true;  // in the list of replicas that is being adopted

 private:
  void ask() {
    asked_ = owner_.loop_.now();
    probe(use_fallback_ ? fallback_path : std::string_view(settings_.path), 0);
  }

  void probe(std::string_view path, size_t most_body) {
    Probe::Asker& asker = *this;
    auto transport = replica_.tls_peer.empty() ? net::make_plain_transport()
                                               : tls_->make_transport(replica_.tls_peer);
    probe_ = std::make_unique<Probe>(
        owner_.loop_, replica_.id, replica_.address, std::move(transport),
        Probe::Question{
            .path = std::string(path), .timeout = settings_.timeout, .most_body = most_body},
        asker);
  }

  void bury_probe() {
    if (!probe_) return;
    probe_->close();
    owner_.loop_.bury(std::move(probe_));
  }

  void on_probe_answer(ProbeAnswer answer) override {
    bury_probe();
    if (asks_version_) return on_version(answer);
    // Older Open WebUI has no /ready.
    if (answer.status == 404 && !settings_.any_answer && !use_fallback_ &&
        settings_.path != fallback_path) {
      use_fallback_ = true;
      return ask();
    }
    // Before a replica takes clients it says what it is.
    if (healthy(answer) && version_is_due()) {
      verdict_ = std::move(answer);
      asks_version_ = true;
      return probe(version_path, most_version_body);
    }
    if (!answer.ours) judge(answer);
    rest();
  }

  bool version_is_due() const {
    return !version_asked_ || owner_.loop_.now() - *version_asked_ >= version_interval;
  }

  // No response says nothing; a replica that has no version is one without.
  void on_version(const ProbeAnswer& answer) {
    asks_version_ = false;
    version_asked_ = owner_.loop_.now();
    std::string version = healthy(answer) ? version_in(answer.body) : std::string();
    if (answer.status != 0 && version != version_) {
      version_ = std::move(version);
      // Later: whoever hears of it may drop this.
      owner_.loop_.later([&owner = owner_] { owner.changed_(); });
    }
    judge(verdict_);
    rest();
  }

  void rest() {
    const auto spread = std::uniform_int_distribution<int64_t>(90, 110)(owner_.jitter_);
    const conf::Millis pause = settings_.interval * spread / 100;
    due_ = owner_.loop_.now() + pause;
    next_.start(pause);
  }

  void judge(const ProbeAnswer& answer) {
    using routing::ReplicaState;
    routing::ReplicaStatus& status = *replica_.status;
    status.looked_at();
    const bool down = status.state() == ReplicaState::down;
    // A worker may have found it down since the last look: then it has to prove itself anew.
    if (down && !was_down_) successes_ = 0;
    const bool any_answer = settings_.any_answer && answer.status >= 200 && answer.status < 500;
    if (healthy(answer) || any_answer) {
      failures_ = 0;
      ++successes_;
      if (down && successes_ >= settings_.rise) {
        status.begin_slow_start(owner_.loop_.now());
        status.set_health(true);
        owner_.log_.info("replica_up", {{"replica", replica_.id}, {"version", version_}});
      } else if (!down) {
        status.set_health(true);
      }
    } else {
      successes_ = 0;
      ++failures_;
      const bool enough = status.attempt_failed(settings_.fall) || failures_ >= settings_.fall;
      if (!down && (answer.refused || enough)) {
        status.set_health(false);
        owner_.log_.warning("replica_down", {{"replica", replica_.id}, {"reason", answer.reason}});
      }
      // An upgrade may bring /ready, and another version: both are looked for once it is back.
      if (down) use_fallback_ = false;
      version_asked_.reset();
      if (answer.refused) owner_.unreachable_(replica_.id);
    }
    was_down_ = status.state() == ReplicaState::down;
  }

  HealthChecker& owner_;
  routing::Replica replica_;
  conf::HealthSettings settings_;
  std::shared_ptr<const tls::ClientContext> tls_;
  std::unique_ptr<Probe> probe_;
  net::Timer<&Watch::ask> next_;
  MonotonicTime asked_;
  MonotonicTime due_;    // when next_ goes off
  ProbeAnswer verdict_;  // waits for the version
  std::string version_;
  std::optional<MonotonicTime> version_asked_;  // since it was last down
  uint32_t successes_ = 0;
  uint32_t failures_ = 0;
  bool asks_version_ = false;
  bool was_down_ = false;
  bool use_fallback_ = false;
};

HealthChecker::HealthChecker(net::Loop& loop, const Log& log,
                             std::function<void(const std::string&)> unreachable,
                             std::function<void()> changed)
    : loop_(loop),
      log_(log),
      unreachable_(std::move(unreachable)),
      changed_(std::move(changed)),
      jitter_(make_jitter()) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::look_at(const std::string& replica_id) {
  const auto watched = watches_.find(replica_id);
  if (watched != watches_.end()) watched->second->look_now();
}

std::string HealthChecker::version_of(const std::string& replica_id) const {
  const auto watched = watches_.find(replica_id);
  return watched == watches_.end() ? std::string() : watched->second->version();
}

void HealthChecker::watch(const proxy::Snapshot& snapshot) {
  for (auto& [id, watch] : watches_)
    watch->seen = false;
  for (const conf::UpstreamSettings& settings : snapshot.settings.upstreams) {
    const routing::Upstream* upstream = snapshot.upstream(settings.name);
    if (!upstream) continue;
    const auto tls = snapshot.tls_to(settings.name);
    for (const routing::Replica& replica : upstream->replicas) {
      auto& watch = watches_[replica.id];
      if (watch) {
        watch->reconfigure(replica, settings.health, tls);
      } else {
        watch = std::make_unique<Watch>(*this, replica, settings.health, tls);
      }
      watch->seen = true;
    }
  }
  std::erase_if(watches_, [](const auto& entry) { return !entry.second->seen; });
}

}  // namespace usher::control
