#include "proxy/password_failures.h"

#include <algorithm>

namespace usher::proxy {

PasswordFailures::Standing PasswordFailures::look(std::string_view network, Guess guess,
                                                  MonotonicTime now) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_network_.find(network);
  if (found == by_network_.end() || now - found->second->failed >= remembered_for) return {};
  const Record& record = *found->second;
  const auto wait = std::chrono::ceil<Duration>(record.until - now);
  return {record.failures, std::max(wait, Duration(0)), record.last == guess};
}

void PasswordFailures::failed(std::string_view network, Guess guess, MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  auto found = by_network_.find(network);
  if (found == by_network_.end()) {
    if (records_.size() >= most) {
      by_network_.erase(records_.back().network);
      records_.pop_back();
    }
    records_.push_front({std::string(network), 0, 0, now, now});
    found = by_network_.emplace(records_.front().network, records_.begin()).first;
  }
  records_.splice(records_.begin(), records_, found->second);
  Record& record = records_.front();
  if (now - record.failed >= remembered_for) record.failures = 0;
  if (record.failures > 0 && record.last == guess) return;
  ++record.failures;
  record.last = guess;
  record.failed = now;
  if (record.failures <= forgiven) return;
  const uint32_t doublings = std::min(record.failures - forgiven - 1, 16u);
  record.until = now + std::min(first_wait * (1 << doublings), longest_wait);
}

size_t PasswordFailures::size() const {
  const std::lock_guard lock(mutex_);
  return records_.size();
}

}  // namespace usher::proxy
