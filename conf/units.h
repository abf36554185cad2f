// The units in which the bounds of keys are written: milliseconds and bytes (Rule).
#pragma once

#include <cstdint>

namespace usher::conf::units {

inline constexpr uint64_t second = 1000;
inline constexpr uint64_t minute = 60 * second;
inline constexpr uint64_t hour = 60 * minute;
inline constexpr uint64_t day = 24 * hour;
inline constexpr uint64_t kib = 1024;
inline constexpr uint64_t mib = 1024 * kib;
inline constexpr uint64_t gib = 1024 * mib;

}  // namespace usher::conf::units
