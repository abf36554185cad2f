// What is counted while the window is open: units of work, how long each took, and the CPU time
// that the proxy's processes spent meanwhile.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace usher::bench {

class Measurement {
 public:
  // The processes of the proxy, all of them.
  explicit Measurement(std::vector<pid_t> proxy);

  void open();
  void close();
  bool is_open() const { return open_; }

  // One unit was done and took so many nanoseconds. Counts only while the window is open.
  void unit(int64_t latency);

  // After close():
  uint64_t units() const { return units_; }
  double seconds() const { return static_cast<double>(ended_ - began_) / 1e9; }
  double cpu_seconds() const { return static_cast<double>(cpu_) / 1e9; }
  // Microseconds within which that share (0 to 1) of the units were done.
  double latency(double share) const;

 private:
  // User and system time of the processes with all their threads, in nanoseconds.
  int64_t proxy_cpu() const;

  std::vector<pid_t> proxy_;
  bool open_ = false;
  int64_t began_ = 0, ended_ = 0, cpu_ = 0;
  uint64_t units_ = 0;
  std::vector<uint32_t> by_microsecond_;  // the last one: and beyond
};

}  // namespace usher::bench
