#include "base/random.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace usher {
namespace {

struct Pool {
  std::array<uint8_t, 1024> bytes;
  size_t used = 1024;
};

void fill_from_kernel(std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) std::abort();  // a kernel without randomness can keep no secret
    bytes = bytes.subspan(static_cast<size_t>(got));
  }
}

}  // namespace

void fill_random(std::span<uint8_t> bytes) {
  thread_local Pool pool;
  if (bytes.size() > pool.bytes.size() / 8) return fill_from_kernel(bytes);
  if (bytes.size() > pool.bytes.size() - pool.used) {
    fill_from_kernel(pool.bytes);
    pool.used = 0;
  }
  const std::span<uint8_t> given = std::span(pool.bytes).subspan(pool.used, bytes.size());
  std::copy(given.begin(), given.end(), bytes.begin());
  // What was given may have become a secret; it is not kept here.
  std::fill(given.begin(), given.end(), uint8_t{0});
  pool.used += bytes.size();
}

Jitter make_jitter() {
  uint32_t seed = 0;
  fill_random({reinterpret_cast<uint8_t*>(&seed), sizeof seed});
  return Jitter(seed);
}

}  // namespace usher
