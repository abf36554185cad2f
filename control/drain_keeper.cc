#include "control/drain_keeper.h"

#include <algorithm>

#include "base/strings.h"

namespace usher::control {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view file_name = "drain.orders";
constexpr Duration tick_interval = 2s;
// Until a starting node knows: its store may not be connected yet.
constexpr Duration first_interval = 50ms;
// An order outlives a long holiday of every node; each node that knows the replica prolongs it.
constexpr Duration order_life = 24h * 30;
constexpr Duration prolong_after = 1h;
// An order to serve is worth remembering as long as a node may come that knows only the drain.
constexpr Duration serve_life = 24h;
// Websockets are told to go before the limit, spread over a part of this.
constexpr Duration farewells = 15s;

std::string key_of(std::string_view replica) { return std::string("drain:").append(replica); }

uint64_t millis(WallTime time) {
  const auto since = std::chrono::duration_cast<Duration>(time.time_since_epoch());
  return static_cast<uint64_t>(std::max<Duration>(since, 0ms).count());
}

std::optional<WallTime> wall_time(std::string_view text) {
  constexpr uint64_t most = 999'999'999'999'999;
  const auto value = parse_decimal<uint64_t>(text);
  if (!value || *value > most) return std::nullopt;
  return WallTime(Duration(static_cast<int64_t>(*value)));
}

}  // namespace

routing::Binding to_binding(const DrainOrder& order) {
  if (!order.drain) return {"serve", millis(order.given)};
  const uint64_t until = order.until ? millis(*order.until) : 0;
  return {"drain:" + std::to_string(until), millis(order.given)};
}

std::optional<DrainOrder> to_order(const routing::Binding& binding) {
  const auto given = wall_time(std::to_string(binding.epoch));
  if (!given) return std::nullopt;
  if (binding.replica == "serve") return DrainOrder{.drain = false, .given = *given, .until = {}};
  const auto [word, limit] = cut(binding.replica, ':');
  const auto until = word == "drain" && limit ? wall_time(*limit) : std::nullopt;
  if (!until) return std::nullopt;
  DrainOrder order{.drain = true, .given = *given, .until = until};
  if (*until == WallTime()) order.until.reset();
  return order;
}

DrainKeeper::DrainKeeper(net::Loop& loop, const Clock& clock, const StateDirectory& state,
                         const Log& log, Listener& listener)
    : clock_(clock), state_(state), log_(log), listener_(listener), tick_(loop, *this) {}

void DrainKeeper::start(routing::AffinityStore* store) {
  store_ = store;
  load();
  tick_.start(first_interval);
}

bool DrainKeeper::settled() const {
  return watching_ && std::ranges::all_of(watches_, [](const auto& entry) {
           return entry.second.statuses.empty() || entry.second.answered;
         });
}

void DrainKeeper::watch(const std::vector<routing::Upstream>& upstreams) {
  std::map<std::string, Named> now;
  for (const routing::Upstream& upstream : upstreams) {
    for (const routing::Replica& replica : upstream.replicas) {
      Named& named = now[replica.id];
      named.name = replica.called();
      if (std::ranges::find(named.statuses, replica.status) == named.statuses.end())
        named.statuses.push_back(replica.status);
    }
  }
  watching_ = true;
  for (auto& [id, watch] : watches_) {
    if (!now.contains(id)) watch.statuses.clear();
  }
  for (auto& [id, named] : now) {
    Watch& watch = watches_[id];
    watch.name = std::move(named.name);
    if (watch.statuses == named.statuses) continue;
    const bool is_here = !watch.statuses.empty();
    watch.statuses = std::move(named.statuses);
    if (is_here) {  // and is reached in another way, too
      follow(watch);
      continue;
    }
    const bool back = std::exchange(watch.was_here, true);
    watch.answered = !store_;
    if (back && watch.order && watch.order->drain) {
      undrain(id);
    } else {
      follow(watch);
    }
    if (store_ && !watch.asked.active()) ask(id, watch);
  }
}

void DrainKeeper::drain(const std::string& replica, Duration limit) {
  const WallTime now = clock_.wall();
  DrainOrder order{.drain = true, .given = now, .until = {}};
  if (limit > 0ms) order.until = now + limit;
  log_.info("replica_draining",
            {{"replica", replica}, {"name", watches_[replica].name}, {"limit_ms", limit.count()}});
  give(replica, order);
}

void DrainKeeper::undrain(const std::string& replica) {
  log_.info("replica_undrained", {{"replica", replica}, {"name", watches_[replica].name}});
  give(replica, {.drain = false, .given = clock_.wall(), .until = {}});
}

void DrainKeeper::give(const std::string& replica, DrainOrder order) {
  Watch& watch = watches_[replica];
  // Whoever gives two orders within a millisecond, or by a clock that went back, means the later.
  if (watch.order) order.given = std::max(order.given, watch.order->given + 1ms);
  watch.order = order;
  watch.told = MonotonicTime::min();
  follow(watch);
  save();
  if (store_) ask(replica, watch);
}

// An order that the store does not have yet is told, and told again every hour; else the store is
// asked what holds.
void DrainKeeper::ask(const std::string& replica, Watch& watch) {
  if (!store_->available()) return;  // at a later tick
  const MonotonicTime now = clock_.now();
  const bool tell =
      watch.order && (watch.told == MonotonicTime::min() || now - watch.told >= prolong_after);
  if (!tell) {
    watch.asked = store_->find(key_of(replica),
                               [this, replica](Result<std::optional<routing::Binding>> found) {
                                 on_answer(replica, found);
                               });
    return;
  }
  watch.asked = store_->claim(
      key_of(replica), to_binding(*watch.order), order_life,
      [this, replica](Result<routing::Binding> held) {
        const auto watched = watches_.find(replica);
        if (held && watched != watches_.end()) watched->second.told = clock_.now();
        on_answer(replica, held ? Result<std::optional<routing::Binding>>(std::move(*held))
                                : Result<std::optional<routing::Binding>>(held.error()));
      });
}

void DrainKeeper::on_answer(const std::string& replica,
                            const Result<std::optional<routing::Binding>>& answer) {
  Watch& watch = watches_[replica];
  const bool first = answer && !std::exchange(watch.answered, true);
  const auto held = answer && *answer ? to_order(**answer) : std::nullopt;
  if (held && (!watch.order || held->given > watch.order->given)) {
    if (held->drain != (watch.order && watch.order->drain)) {
      log_.info(held->drain ? "replica_draining" : "replica_undrained",
                {{"replica", replica}, {"name", watch.name}});
    }
    watch.order = held;
    watch.told = clock_.now();
    follow(watch);
    save();
  } else if (answer && watch.order && (!held || held->given < watch.order->given)) {
    // The store has lost it, or never had it: it is told at the next look.
    watch.told = MonotonicTime::min();
    if (!watch.order->drain && clock_.wall() - watch.order->given > serve_life) {
      watch.order.reset();
    }
  }
  if (first && settled()) listener_.on_drains_settled();
}

void DrainKeeper::follow(Watch& watch) {
  if (watch.statuses.empty()) return;
  watch.ending = false;
  const bool drain = watch.order && watch.order->drain;
  MonotonicTime until = MonotonicTime::max();
  if (drain && watch.order->until) {
    const auto left = std::chrono::duration_cast<Duration>(*watch.order->until - clock_.wall());
    until = clock_.now() + std::max<Duration>(left, 0ms);
  }
  for (const auto& status : watch.statuses)
    status->set_draining(drain, until);
}

void DrainKeeper::on_tick() {
  const bool quick = first_looks_ > 0 && !settled();
  if (quick) --first_looks_;
  tick_.start(quick ? first_interval : tick_interval);
  end_drains();
  if (!store_) return;
  for (auto& [id, watch] : watches_) {
    if (!watch.statuses.empty() && !watch.asked.active()) ask(id, watch);
  }
}

void DrainKeeper::end_drains() {
  const MonotonicTime now = clock_.now();
  for (auto& [id, watch] : watches_) {
    if (watch.statuses.empty() || watch.ending) continue;
    const routing::ReplicaStatus& first = *watch.statuses.front();  // all are told the same
    if (!first.draining()) continue;
    const MonotonicTime until = first.drain_until();
    if (until == MonotonicTime::max() || until - now > farewells) continue;
    watch.ending = true;
    const auto left = std::chrono::duration_cast<Duration>(until - now);
    for (const auto& status : watch.statuses)
      listener_.on_drain_ends(status, std::max<Duration>(left, tick_interval));
  }
}

// One order a line: "<replica> <time> drain:<until>" or "<replica> <time> serve".
void DrainKeeper::load() {
  const std::string text = state_.read(file_name);
  for (const std::string_view line : split_list(text, '\n')) {
    const auto words = split_list(line, ' ');
    const auto given = words.size() == 3 ? parse_decimal<uint64_t>(words[1]) : std::nullopt;
    const auto order =
        given ? to_order({std::string(words[2]), *given}) : std::optional<DrainOrder>();
    if (!order || clock_.wall() - order->given > order_life) continue;
    watches_[std::string(words[0])].order = order;
  }
}

void DrainKeeper::save() const {
  std::string text;
  for (const auto& [id, watch] : watches_) {
    if (!watch.order) continue;
    const routing::Binding binding = to_binding(*watch.order);
    text.append(id).append(" ").append(std::to_string(binding.epoch)).append(" ");
    text.append(binding.replica).append("\n");
  }
  state_.keep(file_name, text);
}

}  // namespace usher::control
