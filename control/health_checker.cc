#include "control/health_checker.h"

#include "net/stream.h"
#include "net/timer.h"
#include "protocol/http1_parser.h"
#include "protocol/http1_writer.h"

namespace usher::control {
namespace {

constexpr std::string_view fallback_path = "/health";
// Between two probes, however many requests fail.
constexpr std::chrono::milliseconds shortest_pause{1000};

struct Verdict {
  bool healthy = false;
  bool refused = false;
  bool ours = false;    // the question could not be asked: nothing is known of the replica
  uint16_t status = 0;  // 0: no response
  std::string reason;
};

// One question and its answer.
class Probe final : public net::Mortal, private net::StreamHandler {
 public:
  class Asker {
   public:
    virtual void on_verdict(Verdict verdict) = 0;

   protected:
    ~Asker() = default;
  };

  Probe(net::Loop& loop, const routing::Replica& replica, std::string path,
        std::chrono::milliseconds timeout, Asker& asker)
      : loop_(loop),
        id_(replica.id),
        path_(std::move(path)),
        asker_(&asker),
        deadline_(loop, *this) {
    net::StreamHandler& handler = *this;
    stream_ = std::make_unique<net::Stream>(loop, replica.address, net::make_plain_transport(),
                                            handler, Side::replica);
    deadline_.start(timeout);
    stream_->start();
  }

  ~Probe() override { close(); }

  void close() {
    asker_ = nullptr;
    deadline_.stop();
    if (!stream_) return;
    stream_->close();
    loop_.bury(std::move(stream_));
  }

 private:
  void on_stream_open() override {
    protocol::RequestHead head;
    head.method = "GET";
    head.target = path_;
    head.authority = id_;
    head.headers.append("User-Agent", "usher-health");
    parser_.expect(head.method);
    protocol::write_request_head(stream_->tail(), head);
    stream_->commit();
  }

  size_t on_stream_data(std::span<const char> data) override {
    std::span<const char> input = data;
    while (asker_) {
      const auto event = parser_.next(input);
      if (!event) {
        answer({.reason = to_string(event.error())});
        break;
      }
      if (event->kind == protocol::ParsedKind::need_more) break;
      if (event->kind != protocol::ParsedKind::head) continue;
      const protocol::ResponseHead head = parser_.take_head();
      if (head.interim()) continue;
      const bool healthy = head.status >= 200 && head.status < 300;
      answer({.healthy = healthy,
              .status = head.status,
              .reason = "status " + std::to_string(head.status)});
    }
    return data.size();
  }

  void on_stream_end() override { answer({.reason = "closed without a response"}); }
  void on_stream_writable() override {}
  void on_stream_error(Error error) override {
    answer({.refused = error.code == Errc::connect_refused,
            .ours = error.code == Errc::out_of_descriptors || error.code == Errc::system,
            .reason = to_string(error)});
  }
  void on_deadline() { answer({.reason = "no answer in time"}); }

  void answer(Verdict verdict) {
    Asker* asker = asker_;
    close();
    if (asker) asker->on_verdict(std::move(verdict));
  }

  net::Loop& loop_;
  std::string id_;
  std::string path_;
  Asker* asker_;
  std::unique_ptr<net::Stream> stream_;
  protocol::ResponseParser parser_{protocol::HeadLimits{}};
  net::Timer<&Probe::on_deadline> deadline_;
};

}  // namespace

// One replica under observation.
class HealthChecker::Watch final : private Probe::Asker {
 public:
  Watch(HealthChecker& owner, const routing::Replica& replica, const conf::HealthSettings& settings)
      : owner_(owner), replica_(replica), settings_(settings), next_(owner.loop_, *this) {
    ask();
  }
  ~Watch() { bury_probe(); }

  void reconfigure(const conf::HealthSettings& settings) { settings_ = settings; }

  void look_now() {
    if (probe_) return;
    const MonotonicTime now = owner_.loop_.now();
    due_ = std::min(due_, std::max(now, asked_ + shortest_pause));
    next_.start(std::chrono::ceil<std::chrono::milliseconds>(due_ - now));
  }

  bool seen = true;  // in the list of replicas that is being adopted

 private:
  void ask() {
    asked_ = owner_.loop_.now();
    Probe::Asker& asker = *this;
    const std::string path(use_fallback_ ? fallback_path : std::string_view(settings_.path));
    probe_ = std::make_unique<Probe>(owner_.loop_, replica_, path, settings_.timeout, asker);
  }

  void bury_probe() {
    if (!probe_) return;
    probe_->close();
    owner_.loop_.bury(std::move(probe_));
  }

  void on_verdict(Verdict verdict) override {
    bury_probe();
    // Older Open WebUI has no /ready.
    if (verdict.status == 404 && !use_fallback_ && settings_.path != fallback_path) {
      use_fallback_ = true;
      return ask();
    }
    if (!verdict.ours) judge(verdict);
    const auto spread = std::uniform_int_distribution<int64_t>(90, 110)(owner_.jitter_);
    const conf::Millis pause = settings_.interval * spread / 100;
    due_ = owner_.loop_.now() + pause;
    next_.start(pause);
  }

  void judge(const Verdict& verdict) {
    using routing::ReplicaState;
    routing::ReplicaStatus& status = *replica_.status;
    status.looked_at();
    const bool down = status.state() == ReplicaState::down;
    // A worker may have found it down since the last look: then it has to prove itself anew.
    if (down && !was_down_) successes_ = 0;
    if (verdict.healthy) {
      failures_ = 0;
      ++successes_;
      if (down && successes_ >= settings_.rise) {
        status.begin_slow_start(owner_.loop_.now());
        status.set_health(true);
        owner_.log_.info("replica_up", {{"replica", replica_.id}});
      } else if (!down) {
        status.set_health(true);
      }
    } else {
      successes_ = 0;
      ++failures_;
      const bool enough = status.attempt_failed(settings_.fall) || failures_ >= settings_.fall;
      if (!down && (verdict.refused || enough)) {
        status.set_health(false);
        owner_.log_.warning("replica_down", {{"replica", replica_.id}, {"reason", verdict.reason}});
      }
      // An upgrade may bring /ready: look for it again once the replica is back.
      if (down) use_fallback_ = false;
      if (verdict.refused) owner_.unreachable_(replica_.id);
    }
    was_down_ = status.state() == ReplicaState::down;
  }

  HealthChecker& owner_;
  routing::Replica replica_;
  conf::HealthSettings settings_;
  std::unique_ptr<Probe> probe_;
  net::Timer<&Watch::ask> next_;
  MonotonicTime asked_;
  MonotonicTime due_;  // when next_ goes off
  uint32_t successes_ = 0;
  uint32_t failures_ = 0;
  bool was_down_ = false;
  bool use_fallback_ = false;
};

HealthChecker::HealthChecker(net::Loop& loop, const Log& log,
                             std::function<void(const std::string&)> unreachable)
    : loop_(loop), log_(log), unreachable_(std::move(unreachable)), jitter_(make_jitter()) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::look_at(const std::string& replica_id) {
  const auto watched = watches_.find(replica_id);
  if (watched != watches_.end()) watched->second->look_now();
}

void HealthChecker::watch(const proxy::Snapshot& snapshot) {
  for (auto& [id, watch] : watches_)
    watch->seen = false;
  for (const conf::UpstreamSettings& settings : snapshot.settings.upstreams) {
    const routing::Upstream* upstream = snapshot.upstream(settings.name);
    if (!upstream) continue;
    for (const routing::Replica& replica : upstream->replicas) {
      auto& watch = watches_[replica.id];
      if (!watch) watch = std::make_unique<Watch>(*this, replica, settings.health);
      watch->reconfigure(settings.health);
      watch->seen = true;
    }
  }
  std::erase_if(watches_, [](const auto& entry) { return !entry.second->seen; });
}

}  // namespace usher::control
