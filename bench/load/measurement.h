// What is counted while the window is open: units of work, how long each took, and the CPU time
// that the proxy's processes spent meanwhile.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace usher::bench {

class Measurement {
 public:
  Measurement(std::vector<pid_t> proxy, std::vector<pid_t> others);

  void open();
  void close();
  bool is_open() const { return open_; }

  // One unit was done and took so many nanoseconds. Counts only while the window is open.
  void unit(int64_t latency);

  // After close():
  uint64_t units() const { return units_; }
  double seconds() const { return static_cast<double>(ended_ - began_) / 1e9; }
  double proxy_cpu_seconds() const { return static_cast<double>(proxy_cpu_) / 1e9; }
  double others_cpu_seconds() const { return static_cast<double>(others_cpu_) / 1e9; }
  // Microseconds within which that share (0 to 1) of the units were done.
  double latency(double share) const;

 private:
  std::vector<pid_t> proxy_, others_;
  bool open_ = false;
  int64_t began_ = 0, ended_ = 0, proxy_cpu_ = 0, others_cpu_ = 0;
  uint64_t units_ = 0;
  std::vector<uint32_t> by_microsecond_;  // the last one: and beyond
};

}  // namespace usher::bench
