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

std::vector<std::string> SecretRing::in_use(WallTime now) const {
  std::vector<std::string> secrets;
  if (entries_.empty()) return secrets;
  auto used = std::find_if(entries_.begin(), entries_.end(),
                           [now](const Entry& entry) { return now - entry.made >= lead; });
  if (used == entries_.end()) used = std::prev(used);
  secrets.push_back(used->secret);
  for (const Entry& entry : entries_) {
    const bool there = std::find(secrets.begin(), secrets.end(), entry.secret) != secrets.end();
    if (!there) secrets.push_back(entry.secret);
  }
  return secrets;
}

}  // namespace usher::routing
