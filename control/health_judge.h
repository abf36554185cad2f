// What the looks at one replica mean for it. A refused connect means that nobody listens: down at
// once. Anything else must come `fall` times in a row, so that a stalled event loop of a few
// seconds is no death. Whether it lives and whether it is ready are judged apart: a status that is
// not good never takes a replica from those who are bound to it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "conf/settings.h"
#include "control/probe.h"
#include "routing/replica_board.h"

namespace usher::control {

// What one answer says.
enum class Said : uint8_t {
  well,     // 2xx
  nothing,  // 3xx, 4xx, 501: it does not know the question
  unwell,   // another 5xx
  silent,   // no response
  refused,  // nobody listens
};
Said said_by(const ProbeAnswer& answer);

// What one look has found.
struct Finding {
  enum class Kind : uint8_t { ready, unready, ill, silent, refused };
  Kind kind = Kind::silent;
  bool starts = false;   // it says that it has not started yet
  std::string reason{};  // why it is not ready

  bool answered() const { return kind < Kind::silent; }
};

// An answer about readiness and one about life make a finding. Readiness that is not known is
// readiness that was not said: a replica that knows neither question is well as long as it answers.
struct Answers {
  Said ready;
  Said life;
};
Finding::Kind conclude(const Answers& answers);

// What an application says of an error, {"detail": "Redis not ready"}. Empty: nothing that can be
// shown.
std::string detail_in(std::string_view body);
// Open WebUI's own word for it.
bool says_starting(std::string_view detail);

class HealthJudge final {
 public:
  // The health that a replica should have now; `status` has the one it had. Counts.
  routing::Health judge(const Finding& finding, routing::ReplicaStatus& status,
                        const conf::HealthSettings& settings, MonotonicTime now);

 private:
  void count(const Finding& finding);
  routing::Health after_answer(const Finding& finding, const routing::ReplicaStatus& status,
                               const conf::HealthSettings& settings, MonotonicTime now);

  // In a row, each.
  uint32_t ready_ = 0;
  uint32_t living_ = 0;  // ready or unready
  uint32_t answered_ = 0;
  uint32_t failing_ = 0;  // anything but ready
  uint32_t dying_ = 0;    // ill or without an answer
  uint32_t silent_ = 0;
  routing::Health last_ = routing::Health::unknown;
  MonotonicTime starts_since_;
};

}  // namespace usher::control
