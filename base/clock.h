// Time, as an interface, so that tests set it by hand. Monotonic for deadlines, wall for logs and
// certificates.
#pragma once

#include <chrono>
#include <string>

namespace usher {

using Duration = std::chrono::milliseconds;
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock>;
using WallTime = std::chrono::time_point<std::chrono::system_clock>;

class Clock {
 public:
  virtual MonotonicTime now() const = 0;
  virtual WallTime wall() const = 0;

 protected:
  ~Clock() = default;
};

class SystemClock final : public Clock {
 public:
  MonotonicTime now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override { return std::chrono::system_clock::now(); }
};

class ManualClock final : public Clock {
 public:
  MonotonicTime now() const override { return now_; }
  WallTime wall() const override { return wall_; }
  void advance(std::chrono::nanoseconds by) {
    now_ += std::chrono::duration_cast<MonotonicTime::duration>(by);
    wall_ += std::chrono::duration_cast<WallTime::duration>(by);
  }

 private:
  MonotonicTime now_{std::chrono::hours(1)};
  WallTime wall_{std::chrono::seconds(1'700'000'000)};
};

// RFC 3339 in UTC with milliseconds: 2026-11-21T09:08:07.123Z
std::string to_rfc3339(WallTime time);

}  // namespace usher
