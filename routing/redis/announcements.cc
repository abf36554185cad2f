#include "routing/redis/announcements.h"

#include <utility>

#include "routing/redis/redis_store.h"

namespace usher::routing::redis {
namespace {

constexpr size_t most_together = 10'000;

}  // namespace

Announcements::Announcements(const Access& access, const Log& log, Learn learn, Doubt doubt)
    // Of a cluster any member will do: it passes messages on to all.
    : log_(log),
      learn_(std::move(learn)),
      doubt_(std::move(doubt)),
      turn_end_(access.loop, *this),
      subscription_(access, make_finder(access), authentication(access.settings.url),
                    moved_channel(access.settings.prefix),
                    static_cast<Subscription::Listener&>(*this)) {}

void Announcements::on_subscribed() {
  if (std::exchange(deaf_, false)) log_.info("announcements_heard");
  doubt_();
}

void Announcements::on_unsubscribed(const Error& why) {
  deaf_ = true;
  log_.warning("announcements_missed", {{"reason", why.detail}});
  doubt_();
}

void Announcements::on_message(std::string_view text) {
  auto moved = parse_moved(text);
  if (!moved) return;
  heard_.push_back(std::move(*moved));
  if (heard_.size() >= most_together) return on_turn_end();
  turn_end_.start(Duration(0));
}

void Announcements::on_turn_end() {
  turn_end_.stop();
  if (!heard_.empty()) learn_(std::exchange(heard_, {}));
}

}  // namespace usher::routing::redis
