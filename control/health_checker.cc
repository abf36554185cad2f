#include "control/health_checker.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "control/health_look.h"
#include "control/probe_host.h"
#include "net/timer.h"

namespace usher::control {
namespace {

using routing::Health;

constexpr std::string_view version_path = "/api/version";
// Between two probes, however many requests fail.
constexpr std::chrono::milliseconds shortest_pause{1000};
// Between two questions for the version of a replica that stays up.
constexpr std::chrono::milliseconds version_interval{60'000};
constexpr size_t most_version_body = 4096;
constexpr size_t longest_version = 64;

// As nginx calls what has no name.
std::string host_of(const routing::Replica& replica) {
  return replica.address.family() == AF_UNIX ? "localhost" : replica.id;
}

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
  Watch(HealthChecker& owner, LookedAt at)
      : owner_(owner),
        at_(std::move(at)),
        look_(owner.loop_, at_,
              [this](std::optional<Finding> found) { on_found(std::move(found)); }),
        next_(owner.loop_, *this) {
    ask();
  }
  ~Watch() { bury_probe(); }

  void reconfigure(LookedAt at) { at_ = std::move(at); }

  void look_now() {
    if (look_.under_way() || probe_) return;
    const MonotonicTime now = owner_.loop_.now();
    due_ = std::min(due_, std::max(now, asked_ + shortest_pause));
    next_.start(std::chrono::ceil<std::chrono::milliseconds>(due_ - now));
  }

  const std::string& replica_id() const { return at_.replica.id; }
  const std::string& version() const { return version_; }
  const std::string& reason() const { return reason_; }

  bool seen = true;  // in the list of replicas that is being adopted

 private:
  routing::ReplicaStatus& status() const { return *at_.replica.status; }

  void ask() {
    asked_ = owner_.loop_.now();
    if (at_.settings.active) return look_.start();
    const Health now = status().health();
    if (now == Health::down) return connect();
    status().looked_at();
    status().change_health(now, Health::up);
    rest();
  }

  void connect() {
    connects_ = true;
    probe({.connects_only = true});
  }

  void probe(Probe::Question question) {
    Probe::Asker& asker = *this;
    question.timeout = at_.settings.timeout;
    probe_ = at_.ask(owner_.loop_, std::move(question), asker);
  }

  void bury_probe() {
    if (!probe_) return;
    probe_->close();
    owner_.loop_.bury(std::move(probe_));
  }

  void on_found(std::optional<Finding> found) {
    if (!found) return rest();
    // Before a replica takes clients it says what it is.
    if (found->answered() && version_is_due()) {
      found_ = std::move(*found);
      return probe({.path = std::string(version_path), .most_body = most_version_body});
    }
    judge(*found);
    rest();
  }

  bool version_is_due() const {
    return !version_asked_ || owner_.loop_.now() - *version_asked_ >= version_interval;
  }

  void on_probe_answer(ProbeAnswer answer) override {
    bury_probe();
    if (std::exchange(connects_, false)) {
      on_connect(answer);
    } else {
      on_version(answer);
      judge(found_);
    }
    rest();
  }

  void on_connect(const ProbeAnswer& answer) {
    using Kind = Finding::Kind;
    if (answer.ours) return;
    const Kind failed = answer.refused ? Kind::refused : Kind::silent;
    judge({.kind = answer.connected ? Kind::ready : failed, .reason = answer.reason});
  }

  // No response says nothing; a replica that has no version is one without.
  void on_version(const ProbeAnswer& answer) {
    version_asked_ = owner_.loop_.now();
    std::string version = said_by(answer) == Said::well ? version_in(answer.body) : std::string();
    if (answer.status == 0 || version == version_) return;
    version_ = std::move(version);
    // Later: whoever hears of it may drop this.
    owner_.loop_.later([&owner = owner_] { owner.changed_(); });
  }

  void rest() {
    const auto spread = std::uniform_int_distribution<int64_t>(90, 110)(owner_.jitter_);
    const conf::Millis pause = at_.settings.interval * spread / 100;
    due_ = owner_.loop_.now() + pause;
    next_.start(pause);
  }

  void judge(const Finding& finding) {
    status().looked_at();
    const Health before = status().health();
    const Health after = judge_.judge(finding, status(), at_.settings, owner_.loop_.now());
    reason_ = finding.reason;
    owner_.turn({at_.replica, before, after, reason_, version_});
    if (finding.kind == Finding::Kind::refused) {
      status().connect_refused();
      owner_.unreachable_(at_.replica.id);
    }
    // An upgrade may bring /ready, and another version: both are looked for once it is back.
    if (finding.answered()) return;
    if (after == Health::down) look_.forget_paths();
    version_asked_.reset();
  }

  HealthChecker& owner_;
  LookedAt at_;
  HealthLook look_;
  HealthJudge judge_;
  std::unique_ptr<Probe> probe_;  // for the version; or a connect
  net::Timer<&Watch::ask> next_;
  MonotonicTime asked_;
  MonotonicTime due_;      // when next_ goes off
  bool connects_ = false;  // what probe_ does
  Finding found_;          // waits for the version
  std::string reason_;     // of the last look, why it is not up
  std::string version_;
  std::optional<MonotonicTime> version_asked_;  // since it last did not answer
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
  for (const auto& [status, watch] : watches_) {
    if (watch->replica_id() == replica_id) watch->look_now();
  }
}

std::string HealthChecker::version_of(const routing::ReplicaStatus& replica) const {
  const auto watched = watches_.find(&replica);
  return watched == watches_.end() ? std::string() : watched->second->version();
}

std::string HealthChecker::reason_of(const routing::ReplicaStatus& replica) const {
  const auto watched = watches_.find(&replica);
  return watched == watches_.end() ? std::string() : watched->second->reason();
}

bool HealthChecker::panics(std::string_view upstream) const {
  return std::ranges::any_of(
      groups_, [&](const Group& group) { return group.panics && group.upstream == upstream; });
}

// What an upstream's panic keeps in use must not be down in between.
void HealthChecker::turn(const Turn& turn) {
  routing::ReplicaStatus& status = *turn.replica.status;
  const bool was_away = !status.serves_bound();
  weigh(&turn);
  begin_panics();
  // A worker may have been faster: the next look is at what it has found.
  const bool turned = turn.after != turn.before && status.change_health(turn.before, turn.after);
  if (!turned) weigh(nullptr);
  if (turned && turn.after == Health::up && was_away) status.begin_slow_start(loop_.now());
  if (turned) tell(turn);
  begin_panics();
  end_panics();
  tell_panics(turn.reason);
}

void HealthChecker::tell(const Turn& turn) {
  const bool serves = turn.replica.status->serves_bound();
  switch (turn.after) {
    case Health::unknown: return;
    case Health::up:
      if (turn.before == Health::unknown) return;
      return log_.info("replica_up", {{"replica", turn.replica.id},
                                      {"name", turn.replica.called()},
                                      {"version", turn.version}});
    case Health::starting:
      return log_.info(
          "replica_starting",
          {{"replica", turn.replica.id}, {"name", turn.replica.called()}, {"reason", turn.reason}});
    case Health::unready:
    case Health::ill:
    case Health::down:
      log_.warning(
          serves ? "replica_unready" : "replica_down",
          {{"replica", turn.replica.id}, {"name", turn.replica.called()}, {"reason", turn.reason}});
  }
}

// Which upstreams panic; as if `turn` were done.
void HealthChecker::weigh(const Turn* turn) {
  for (Group& group : groups_) {
    group.census = {};
    for (const Member& member : group.members)
      group.census.count(turn && turn->replica.status == member.status ? turn->after
                                                                       : member.status->health());
    group.panics = group.census.panics(group.percent);
  }
}

void HealthChecker::begin_panics() {
  for (const Group& group : groups_) {
    if (!group.panics) continue;
    for (const Member& member : group.members)
      member.status->set_panic(true);
  }
}

// A replica may be another upstream's as well.
void HealthChecker::end_panics() {
  const auto panics = [this](const routing::ReplicaStatus* status) {
    return std::ranges::any_of(groups_, [&](const Group& group) {
      return group.panics && std::ranges::any_of(group.members, [&](const Member& member) {
               return member.status.get() == status;
             });
    });
  };
  for (const Group& group : groups_) {
    for (const auto& [id, status] : group.members) {
      if (!status->panic() || panics(status.get())) continue;
      status->set_panic(false);
      if (status->health() == Health::ill)
        log_.warning("replica_down", {{"replica", id}, {"reason", reason_of(*status)}});
    }
  }
}

void HealthChecker::tell_panics(const std::string& reason) {
  for (Group& group : groups_) {
    if (group.panics == group.told) continue;
    group.told = group.panics;
    if (group.panics) {
      log_.warning("upstream_panic", {{"upstream", group.upstream},
                                      {"not_ready", uint64_t{group.census.failing}},
                                      {"of", uint64_t{group.census.living}},
                                      {"reason", reason}});
    } else {
      log_.info("upstream_panic_over", {{"upstream", group.upstream}});
    }
  }
}

void HealthChecker::watch(const proxy::Snapshot& snapshot) {
  for (auto& [status, watch] : watches_)
    watch->seen = false;
  const std::vector<Group> before = std::exchange(groups_, {});
  for (const conf::UpstreamSettings& settings : snapshot.settings.upstreams) {
    const routing::Upstream* upstream = snapshot.upstream(settings.name);
    if (!upstream) continue;
    Group& group = groups_.emplace_back();
    group.upstream = settings.name;
    group.percent = settings.health.panic;
    const auto known = std::ranges::find(before, settings.name, &Group::upstream);
    group.told = known != before.end() && known->told;
    const std::string host = probe_host(snapshot.settings, settings);
    for (const routing::Replica& replica : upstream->replicas) {
      group.members.push_back({replica.id, replica.status});
      LookedAt at{replica, host.empty() ? host_of(replica) : host, settings.health,
                  snapshot.tls_to(settings.name)};
      auto& watch = watches_[replica.status.get()];
      if (watch) {
        watch->reconfigure(std::move(at));
      } else {
        watch = std::make_unique<Watch>(*this, std::move(at));
      }
      watch->seen = true;
    }
  }
  std::erase_if(watches_, [](const auto& entry) { return !entry.second->seen; });
  weigh(nullptr);
  begin_panics();
  end_panics();
}

}  // namespace usher::control
