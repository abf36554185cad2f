#include "routing/secret_ring.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>

#include "base/strings.h"

namespace usher::routing {
namespace {

constexpr size_t longest_secret = 1024;
// In milliseconds; the wall clock counts nanoseconds in 64 bits, which end in the year 2262.
constexpr int64_t latest = 9'000'000'000'000;

}  // namespace

std::optional<WallTime> parse_ring_time(std::string_view text) {
  const auto millis = parse_decimal<int64_t>(text);
  if (!millis || *millis < 0 || *millis > latest) return std::nullopt;
  return WallTime(Duration(*millis));
}

SecretRing SecretRing::parse(std::string_view text) {
  SecretRing ring;
  std::string_view line;
  for (std::optional<std::string_view> rest = text; rest && ring.entries_.size() < most;) {
    std::tie(line, rest) = cut(*rest, '\n');
    const auto [made_text, secret] = cut(line, ' ');
    const auto made = parse_ring_time(made_text);
    if (!made || !secret) continue;
    const bool good =
        !secret->empty() && secret->size() <= longest_secret &&
        std::all_of(secret->begin(), secret->end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (good) ring.entries_.push_back({*made, std::string(*secret)});
  }
  return ring;
}

std::string SecretRing::to_text() const {
  std::string text;
  for (const Entry& entry : entries_) {
    const auto made = std::chrono::duration_cast<Duration>(entry.made.time_since_epoch());
    text.append(std::to_string(made.count())).append(1, ' ').append(entry.secret).append(1, '\n');
  }
  return text;
}

std::vector<std::string> SecretRing::in_use(WallTime now, Duration after) const {
  std::vector<std::string> secrets;
  if (entries_.empty()) return secrets;
  auto used = std::find_if(entries_.begin(), entries_.end(),
                           [=](const Entry& entry) { return now - entry.made >= after; });
  if (used == entries_.end()) used = std::prev(used);
  secrets.push_back(used->secret);
  for (const Entry& entry : entries_) {
    const bool there = std::find(secrets.begin(), secrets.end(), entry.secret) != secrets.end();
    if (!there) secrets.push_back(entry.secret);
  }
  return secrets;
}

SecretRing SecretRing::renewed(std::string_view fresh, const RingRules& rules, bool rotate,
                               WallTime now) const {
  SecretRing next = *this;
  std::vector<Entry>& entries = next.entries_;
  for (Entry& entry : entries) {
    if (entry.made == WallTime() || entry.made > now) entry.made = now;
  }
  const bool due = rules.rotate_after > Duration(0) && !entries.empty() &&
                   now - entries.front().made >= rules.rotate_after;
  if (entries.empty() || due || rotate) {
    entries.insert(entries.begin(), {now, std::string(fresh)});
  }
  for (size_t i = entries.size(); i-- > 1;) {
    if (i < most && now - entries[i - 1].made <= rules.keep) continue;
    entries.erase(entries.begin() + static_cast<ptrdiff_t>(i));
  }
  return next;
}

}  // namespace usher::routing
