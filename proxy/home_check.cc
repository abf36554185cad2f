#include "proxy/home_check.h"

#include <algorithm>
#include <utility>

namespace usher::proxy {

void HomeCheck::start(std::vector<Resident> residents) {
  questions_.clear();
  residents_ = std::move(residents);
  next_ = 0;
  residents_.empty() ? tick_.stop() : tick_.start(between_ticks);
}

void HomeCheck::add(Resident resident) {
  if (residents_.empty()) {
    next_ = 0;
    tick_.start(std::chrono::milliseconds(0));
  }
  residents_.push_back(std::move(resident));
}

void HomeCheck::on_tick() {
  questions_.clear();
  if (!sessions_.store_available()) return tick_.start(without_store);
  if (next_ == residents_.size()) return residents_.clear();
  unanswered_ = std::min(each_tick, residents_.size() - next_);
  failed_ = false;
  for (size_t i = next_; i < next_ + unanswered_; ++i) {
    questions_.push_back(sessions_.recall(residents_[i].client,
                                          [this, i](const auto& answer) { on_answer(i, answer); }));
  }
}

// An equal epoch with another home: two nodes moved it at the same time, and the store has chosen.
void HomeCheck::on_answer(size_t index, const Result<std::optional<routing::Binding>>& answer) {
  if (!answer) failed_ = true;
  if (answer && *answer) {
    const routing::Binding& now = **answer;
    const Resident& resident = residents_[index];
    const bool moved = now.epoch >= resident.home.epoch && now.replica != resident.home.replica;
    if (moved) on_moved_(resident.client, now.replica);
  }
  if (--unanswered_ > 0) return;
  if (!failed_) next_ += questions_.size();
  tick_.start(failed_ ? without_store : between_ticks);
}

}  // namespace usher::proxy
