// How a SocketIoTunnel leaves its replica and finds another one.

#include <algorithm>
#include <random>
#include <utility>

#include "proxy/socket_io_tunnel.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

using protocol::SocketIoRelay;
using std::chrono::milliseconds;

// A replica that is left has so long to say its last words.
constexpr milliseconds leaving_limit{1000};
// From the 101 to the answers to all CONNECTs.
constexpr milliseconds joining_limit{5000};
constexpr milliseconds first_retry{50};
constexpr milliseconds longest_retry{1000};
// Those who waited for too long do not all come back in one instant.
constexpr milliseconds spread_of_parked{10'000};

}  // namespace

void SocketIoTunnel::leave(MoveReason reason, milliseconds limit, std::string) {
  if (phase_ != Phase::open || move_ || relay_.over()) return;
  if (reason == MoveReason::down) return lost(reason);
  if (leave_by_) return;
  leave_reason_ = reason;
  const auto now = worker_.loop().now();
  if (relay_.quiet(now)) return begin_leaving(reason);
  leave_by_ = now + limit;
  arm();
}

void SocketIoTunnel::rebalance(routing::ReplicaStatus& newcomer) {
  routing::ReplicaStatus& left = *record_.status;
  begin_leaving(MoveReason::rebalanced);
  move_->transfer.emplace(left, newcomer);
}

bool SocketIoTunnel::quiet_for(milliseconds quiet) const {
  const bool free = phase_ == Phase::open && !move_ && !leave_by_;
  return free && relay_.quiet(worker_.loop().now() - quiet);
}

void SocketIoTunnel::begin_move(MoveReason reason) {
  leave_by_.reset();
  if (move_) return;
  move_ = std::make_unique<Move>(*this, worker_.loop(), reason, record_);
  worker_.count().moving.add();
}

void SocketIoTunnel::begin_leaving(MoveReason reason) {
  begin_move(reason);
  relay_.leave();
  move_->step.start(leaving_limit);
  arm();
}

void SocketIoTunnel::lost(MoveReason reason) {
  const std::string obstacle(relay_.obstacle());
  const auto phase = relay_.phase();
  begin_move(reason);
  drop_replica();
  if (worker_.draining()) return go_away(farewell_limit, "the front door is stopping");
  if (!obstacle.empty()) return give_up(MoveOutcome::refused, obstacle, spread_of_refused);
  relay_.lose_replica();
  arm();
  if (phase == SocketIoRelay::Phase::joining) {
    return seek_again({Errc::replica_closed, Side::replica, record_.replica + " let go of it"});
  }
  // Whoever has left for another replica goes there; any other avoids what it has lost.
  const bool left = phase == SocketIoRelay::Phase::leaving;
  const bool for_another = reason == MoveReason::home || reason == MoveReason::rebalanced;
  seek(left && for_another ? Replacement::Aim::home : Replacement::Aim::any_other);
}

void SocketIoTunnel::seek(Replacement::Aim aim) {
  Replacement::User& user = *this;
  const routing::ReplicaStatus* newcomer =
      aim == Replacement::Aim::home && move_->transfer ? &move_->transfer->to() : nullptr;
  move_->replacement = std::make_unique<Replacement>(worker_, record_, user, aim, newcomer);
  move_->replacement->start();
}

void SocketIoTunnel::on_not_replaced(Error why, bool final) {
  worker_.loop().bury(std::move(move_->replacement));
  if (final) return give_up(MoveOutcome::refused, to_string(why), spread_of_refused);
  seek_again(why);
}

void SocketIoTunnel::seek_again(const Error& why) {
  const auto now = worker_.loop().now();
  if (now - move_->started >= record_.migration->park) {
    return give_up(MoveOutcome::expired, to_string(why),
                   std::min(spread_of_parked, record_.migration->park));
  }
  set_parked(why.code == Errc::no_replica);
  const auto usual = std::min(first_retry * (1 << std::min(move_->attempts++, 10U)), longest_retry);
  std::uniform_int_distribution<int64_t> around(usual.count() / 2, usual.count() * 3 / 2);
  move_->step.start(milliseconds(around(worker_.jitter())));
}

void SocketIoTunnel::on_replaced(Replacement::Opened opened) {
  worker_.loop().bury(std::move(move_->replacement));
  const routing::Replica& replica = *opened.home.replica;
  record_.replica = replica.id;
  record_.epoch = opened.home.binding.epoch;
  record_.status = replica.status;
  ++record_.attempts;
  record_.place = std::move(opened.place);
  replica_.channel = std::move(opened.stream);
  replica_.ended = false;
  replica_.heard = worker_.loop().now();
  replica_.channel->set_handler(replica_);
  enter_replica(worker_, record_);
  at_replica_ = true;
  const Shared& shared = worker_.shared();
  if (opened.home.news && shared.live_sessions.has_elsewhere(record_.session, record_.replica)) {
    shared.bring_home(record_.session, record_.replica);
  }
  relay_.join_replica();
  move_->step.start(joining_limit);
  replica_.channel->resume_reading();
}

void SocketIoTunnel::on_step() {
  switch (relay_.phase()) {
    case SocketIoRelay::Phase::alone: return seek(Replacement::Aim::home);
    case SocketIoRelay::Phase::leaving: return lost(move_->reason);
    case SocketIoRelay::Phase::joining: return lost(move_->reason);
    case SocketIoRelay::Phase::relaying: return;
  }
}

void SocketIoTunnel::finish_move(MoveOutcome outcome, std::string_view why) {
  set_parked(false);
  WorkerCounters& count = worker_.count();
  count.moving.subtract();
  count.moves[static_cast<size_t>(move_->reason)][static_cast<size_t>(outcome)].add();
  const bool moved = outcome == MoveOutcome::moved;
  if (moved) ++move_->left->websockets_moved;
  const auto took =
      std::chrono::duration_cast<Duration>(worker_.loop().now() - move_->started).count();
  worker_.shared().log.write(moved ? LogLevel::info : LogLevel::warning, "websocket_moved",
                             {{"client", record_.client},
                              {"from", move_->from},
                              {"to", moved ? std::string_view(record_.replica) : ""},
                              {"reason", name_of(move_->reason)},
                              {"milliseconds", static_cast<int64_t>(took)},
                              {"queued", static_cast<uint64_t>(moved ? relay_.waited() : 0)},
                              {"replayed", moved ? relay_.replayed() : 0U},
                              {"outcome", name_of(outcome)},
                              {"why", why},
                              {"request_id", record_.request_id}});
  if (move_->replacement) {
    move_->replacement->close();
    worker_.loop().bury(std::move(move_->replacement));
  }
  move_.reset();
  if (!moved) return;
  speed_up();
  arm();
}

void SocketIoTunnel::set_parked(bool parked) {
  if (std::exchange(move_->parked, parked) == parked) return;
  parked ? worker_.count().parked.add() : worker_.count().parked.subtract();
}

}  // namespace usher::proxy
