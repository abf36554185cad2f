#include "bench/load/measurement.h"

#include <algorithm>
#include <ctime>

#include "bench/fail.h"
#include "bench/stamp.h"

namespace usher::bench {

namespace {

constexpr size_t kMicroseconds = 4'000'000;

// User and system time of the processes with all their threads, in nanoseconds: the kernel's own
// count. /proc/PID/stat has ticks of 10 ms.
int64_t cpu_of(const std::vector<pid_t>& processes) {
  int64_t all = 0;
  for (pid_t process : processes) {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &time) < 0) {
      fail("there is no process " + std::to_string(process));
    }
    all += time.tv_sec * 1'000'000'000LL + time.tv_nsec;
  }
  return all;
}

}  // namespace

Measurement::Measurement(std::vector<pid_t> proxy, std::vector<pid_t> others)
    : proxy_(std::move(proxy)), others_(std::move(others)), by_microsecond_(kMicroseconds) {}

void Measurement::open() {
  open_ = true;
  proxy_cpu_ = -cpu_of(proxy_);
  others_cpu_ = -cpu_of(others_);
  began_ = now();
}

void Measurement::close() {
  if (!open_) fail("nothing was measured");
  open_ = false;
  ended_ = now();
  proxy_cpu_ += cpu_of(proxy_);
  others_cpu_ += cpu_of(others_);
}

void Measurement::unit(int64_t latency) {
  if (!open_) return;
  ++units_;
  auto slot = std::clamp<int64_t>(latency / 1000, 0, static_cast<int64_t>(kMicroseconds) - 1);
  ++by_microsecond_[static_cast<size_t>(slot)];
}

double Measurement::latency(double share) const {
  auto wanted = static_cast<uint64_t>(share * static_cast<double>(units_));
  uint64_t seen = 0;
  for (size_t slot = 0; slot < kMicroseconds; ++slot) {
    seen += by_microsecond_[slot];
    if (seen > wanted) return static_cast<double>(slot);
  }
  return kMicroseconds;
}

}  // namespace usher::bench
