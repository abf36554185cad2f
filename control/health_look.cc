#include "control/health_look.h"

#include <utility>

namespace usher::control {
namespace {

// Older Open WebUI has no /ready; and it asks nothing of what a replica shares with others.
constexpr std::string_view life_path = "/health";
constexpr size_t most_error_body = 4096;

}  // namespace

std::unique_ptr<Probe> LookedAt::ask(net::Loop& loop, Probe::Question question,
                                     Probe::Asker& asker) const {
  // Whether somebody listens shows before TLS begins.
  auto transport = replica.tls_peer.empty() || question.connects_only
                       ? net::make_plain_transport()
                       : tls->make_transport(replica.tls_peer);
  return std::make_unique<Probe>(loop, host, replica.address, std::move(transport),
                                 std::move(question), asker);
}

void HealthLook::Question::ask(Probe::Question question) {
  Probe::Asker& asker = *this;
  asked_ = true;
  probe_ = look_.at_.ask(look_.loop_, std::move(question), asker);
}

void HealthLook::Question::forget() {
  asked_ = false;
  answer_.reset();
}

void HealthLook::Question::close() {
  if (!probe_) return;
  probe_->close();
  look_.loop_.bury(std::move(probe_));
}

void HealthLook::Question::on_probe_answer(ProbeAnswer answer) {
  close();
  answer_ = std::move(answer);
  look_.on_answer();
}

HealthLook::HealthLook(net::Loop& loop, const LookedAt& at, Found found)
    : loop_(loop), at_(at), found_(std::move(found)), late_(loop, *this) {}

void HealthLook::start() {
  const conf::HealthSettings& settings = at_.settings;
  ready_.forget();
  life_.forget();
  if (!knows_path_ || settings.path == life_path) return ask_life(settings.timeout);
  late_.start(settings.timeout / 2);
  ready_.ask({.path = settings.path, .timeout = settings.timeout, .error_body = most_error_body});
}

void HealthLook::ask_life(std::chrono::milliseconds timeout) {
  life_.ask({.path = std::string(life_path), .timeout = timeout, .error_body = most_error_body});
}

// A database that hangs keeps the answer back. Both questions end at the same time, so that a
// replica that is frozen is found out no later.
void HealthLook::on_late() {
  if (ready_.open()) ask_life(at_.settings.timeout - at_.settings.timeout / 2);
}

void HealthLook::on_answer() {
  const bool waits = ready_.open();
  if (const ProbeAnswer* ready = ready_.answer()) {
    if (decides(*ready)) return finish();
    if (ready->status == 404) knows_path_ = false;
    if (!life_.asked()) return ask_life(at_.settings.timeout);
  }
  if (const ProbeAnswer* life = life_.answer(); life && life->refused) return finish();
  if (!waits && !life_.open()) finish();
}

// Nothing that the other question could bring would change it.
bool HealthLook::decides(const ProbeAnswer& ready) const {
  const Said said = said_by(ready);
  return said == Said::well || said == Said::refused || ready.ours ||
         (said == Said::nothing && at_.settings.any_answer);
}

void HealthLook::finish() {
  late_.stop();
  ready_.close();
  life_.close();
  const ProbeAnswer* ready = ready_.answer();
  const ProbeAnswer* life = life_.answer();
  if ((ready && ready->ours) || (life && life->ours)) return found_(std::nullopt);
  // Only one question is asked where there is only one path.
  const Said of_life = life ? said_by(*life) : said_by(*ready);
  Said of_ready = ready ? said_by(*ready) : of_life;
  if (of_ready == Said::nothing && at_.settings.any_answer) of_ready = Said::well;
  Finding finding{.kind = conclude({of_ready, of_life})};
  if (finding.kind != Finding::Kind::ready) explain(finding);
  found_(std::move(finding));
}

// By the answer that decided.
void HealthLook::explain(Finding& finding) const {
  const bool by_ready =
      ready_.answer() && (finding.kind == Finding::Kind::unready || !life_.answer());
  const ProbeAnswer& answer = by_ready ? *ready_.answer() : *life_.answer();
  const std::string detail = detail_in(answer.body);
  finding.reason = answer.reason;
  if (!answer.refused)
    finding.reason.append(" from ").append(by_ready ? at_.settings.path : life_path);
  if (!detail.empty()) finding.reason.append(": ").append(detail);
  finding.starts = says_starting(detail);
}

}  // namespace usher::control
