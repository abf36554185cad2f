#include "control/ticket_keeper.h"

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "base/strings.h"

namespace usher::control {
namespace {

using namespace std::chrono_literals;

}  // namespace

TicketKeeper::TicketKeeper(net::Loop& loop, const Clock& clock, std::function<void()> changed)
    : changed_(std::move(changed)),
      ring_(loop, clock, [this](const routing::SecretRing&, bool first) { on_agreed(first); }) {}

void TicketKeeper::start(const conf::TlsSettings& settings, RedisDoor* store) {
  if (!settings.session_tickets || started_) return;
  started_ = true;
  const Duration rotate = settings.ticket_rotate;
  const Duration lead = std::min<Duration>(routing::SecretRing::lead, rotate / 4);
  secrets_.lifetime = std::chrono::ceil<std::chrono::seconds>(2 * rotate);
  // The last ticket of a secret is given a lead after its successor was made, and a little later
  // where a node hears of that late.
  const Duration keep = secrets_.lifetime + 2 * lead;
  ring_.start({.name = "tickets",
               .rules = {.rotate_after = rotate, .keep = keep, .life = keep + rotate, .lead = lead},
               .ask_again = std::clamp<Duration>(lead / 4, 50ms, 60s),
               .known = routing::SecretRing(to_base64url(random_bytes<32>()))},
              store);
  secrets_.secrets = ring_.in_use();
}

void TicketKeeper::on_agreed(bool first) {
  const bool other = secrets_.secrets != ring_.in_use();
  secrets_.secrets = ring_.in_use();
  if (other || first) changed_();
}

}  // namespace usher::control
