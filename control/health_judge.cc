#include "control/health_judge.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace usher::control {
namespace {

using routing::Health;
using Kind = Finding::Kind;

constexpr uint16_t not_implemented = 501;
constexpr size_t longest_detail = 100;

}  // namespace

Said said_by(const ProbeAnswer& answer) {
  if (answer.refused) return Said::refused;
  if (answer.status == 0) return Said::silent;
  if (answer.status >= 500 && answer.status != not_implemented) return Said::unwell;
  return answer.status >= 200 && answer.status < 300 ? Said::well : Said::nothing;
}

Finding::Kind conclude(const Answers& answers) {
  if (answers.ready == Said::well) return Kind::ready;
  if (answers.ready == Said::refused || answers.life == Said::refused) return Kind::refused;
  switch (answers.life) {
    case Said::silent:
    case Said::refused: return Kind::silent;
    case Said::unwell: return Kind::ill;
    case Said::well:
    case Said::nothing: break;
  }
  return answers.ready == Said::nothing ? Kind::ready : Kind::unready;
}

std::string detail_in(std::string_view body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("detail") || !json["detail"].is_string()) return {};
  std::string detail = json["detail"];
  const bool plain =
      detail.size() <= longest_detail &&
      std::all_of(detail.begin(), detail.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  return plain ? detail : std::string();
}

bool says_starting(std::string_view detail) {
  return equals_ignoring_case(detail, "Startup not complete");
}

void HealthJudge::count(const Finding& finding) {
  const auto next = [](uint32_t& in_a_row, bool another) { in_a_row = another ? in_a_row + 1 : 0; };
  const bool lives = finding.kind == Kind::ready || finding.kind == Kind::unready;
  next(ready_, finding.kind == Kind::ready);
  next(living_, lives);
  next(answered_, finding.answered());
  next(failing_, finding.kind != Kind::ready);
  next(dying_, !lives);
  next(silent_, !finding.answered());
}

Health HealthJudge::judge(const Finding& finding, routing::ReplicaStatus& status,
                          const conf::HealthSettings& settings, MonotonicTime now) {
  const Health before = status.health();
  // A worker has found it down since the last look: it has to prove itself anew.
  if (before == Health::down && last_ != Health::down) *this = {};
  count(finding);
  Health after = before;
  if (finding.answered()) {
    status.answered();
    after = after_answer(finding, status, settings, now);
  } else {
    const bool enough = status.count_failure(settings.fall) || silent_ >= settings.fall;
    if (finding.kind == Kind::refused || enough) {
      after = Health::down;
    } else if (before == Health::up && failing_ >= settings.fall) {
      after = Health::unready;
    }
  }
  if (after == Health::starting && before != Health::starting) starts_since_ = now;
  last_ = after;
  return after;
}

Health HealthJudge::after_answer(const Finding& finding, const routing::ReplicaStatus& status,
                                 const conf::HealthSettings& settings, MonotonicTime now) {
  const Health before = status.health();
  if (finding.kind == Kind::ready) {
    const bool at_once = before == Health::unknown || before == Health::up;
    return at_once || ready_ >= settings.rise ? Health::up : before;
  }
  const Health said = finding.kind == Kind::ill ? Health::ill : Health::unready;
  switch (before) {
    // It has no history that would make one bad answer doubtful.
    case Health::unknown: return finding.starts ? Health::starting : said;
    case Health::up:
      if (dying_ >= settings.fall) return Health::ill;
      return failing_ >= settings.fall ? Health::unready : Health::up;
    case Health::unready: return dying_ >= settings.fall ? Health::ill : Health::unready;
    case Health::ill: return living_ >= settings.rise ? Health::unready : Health::ill;
    case Health::starting: return now - starts_since_ >= settings.start ? said : Health::starting;
    case Health::down:
      if (status.was_gone()) return Health::starting;
      return answered_ >= settings.rise ? said : Health::down;
  }
  return before;
}

}  // namespace usher::control
