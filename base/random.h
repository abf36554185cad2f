// Unpredictable bytes from the kernel, for identities and secrets; and a cheap generator for
// jitter.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <span>

namespace usher {

// Small pieces come from a pool of the thread's own that one system call fills: a process that goes
// on after fork() must not use it.
void fill_random(std::span<uint8_t> bytes);

template <size_t Size>
std::array<uint8_t, Size> random_bytes() {
  std::array<uint8_t, Size> bytes{};
  fill_random(bytes);
  return bytes;
}

// Not for secrets.
using Jitter = std::minstd_rand;
Jitter make_jitter();

}  // namespace usher
