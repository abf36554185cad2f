#include "base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace usher {

void fill_random(std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) std::abort();  // a kernel without randomness can keep no secret
    bytes = bytes.subspan(static_cast<size_t>(got));
  }
}

Jitter make_jitter() {
  uint32_t seed = 0;
  fill_random({reinterpret_cast<uint8_t*>(&seed), sizeof seed});
  return Jitter(seed);
}

}  // namespace usher
