#include "bench/stamp.h"

#include <charconv>
#include <ctime>

#include "bench/fail.h"

namespace usher::bench {

namespace {
constexpr char kStampEnd = '.';
}

int64_t now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

std::string stamped(size_t bytes) {
  std::string text = std::to_string(now());
  text.resize(bytes, kStampEnd);
  return text;
}

int64_t stamp_in(std::string_view message) {
  int64_t sent = 0;
  auto [end, error] = std::from_chars(message.data(), message.data() + message.size(), sent);
  if (error != std::errc() || end == message.data() + message.size() || *end != kStampEnd) {
    fail("a message without a time stamp: " + std::string(message));
  }
  return sent;
}

}  // namespace usher::bench
