// How long things took, counted in classes: what Prometheus calls a histogram. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace usher {

class Histogram final {
 public:
  // The upper bounds of all classes but the last, which has none.
  static constexpr std::array<std::chrono::microseconds, 18> bounds{{
      std::chrono::microseconds(500),
      std::chrono::milliseconds(1),
      std::chrono::microseconds(2500),
      std::chrono::milliseconds(5),
      std::chrono::milliseconds(10),
      std::chrono::milliseconds(25),
      std::chrono::milliseconds(50),
      std::chrono::milliseconds(100),
      std::chrono::milliseconds(250),
      std::chrono::milliseconds(500),
      std::chrono::seconds(1),
      std::chrono::milliseconds(2500),
      std::chrono::seconds(5),
      std::chrono::seconds(10),
      std::chrono::seconds(30),
      std::chrono::minutes(1),
      std::chrono::minutes(5),
      std::chrono::minutes(30),
  }};
  struct Reading {
    std::array<uint64_t, bounds.size() + 1> counts{};  // of each class by itself
    std::chrono::microseconds sum{0};

    uint64_t total() const {
      uint64_t all = 0;
      for (const uint64_t count : counts)
        all += count;
      return all;
    }
    Reading& operator+=(const Reading& other) {
      for (size_t i = 0; i < counts.size(); ++i)
        counts[i] += other.counts[i];
      sum += other.sum;
      return *this;
    }
  };

  void record(std::chrono::microseconds took) {
    size_t at = 0;
    while (at < bounds.size() && took > bounds[at])
      ++at;
    counts_[at].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(took.count(), std::memory_order_relaxed);
  }
  // Taken while others record: each number is right, all of them at once may be one short.
  Reading read() const {
    Reading reading;
    for (size_t i = 0; i < counts_.size(); ++i)
      reading.counts[i] = counts_[i].load(std::memory_order_relaxed);
    reading.sum = std::chrono::microseconds(sum_.load(std::memory_order_relaxed));
    return reading;
  }

 private:
  std::array<std::atomic<uint64_t>, bounds.size() + 1> counts_{};
  std::atomic<int64_t> sum_{0};
};

}  // namespace usher
