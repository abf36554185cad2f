// The networks that have given wrong passwords lately: after a few each further one makes them wait
// for longer. Over all workers; bounded. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/seeded_hash.h"

namespace usher::proxy {

class PasswordFailures final {
 public:
  // As many are forgiven: people mistype.
  static constexpr uint32_t forgiven = 5;
  // Then doubled by each further one.
  static constexpr Duration first_wait = std::chrono::seconds(1);
  static constexpr Duration longest_wait = std::chrono::minutes(1);
  // Since the last one.
  static constexpr Duration remembered_for = std::chrono::minutes(10);
  static constexpr size_t most = 16'384;

  // What a name and a password are worth to a file: the same again is the same guess.
  using Guess = uint64_t;
  Guess guess_of(std::string_view text) const { return hash_(text); }

  struct Standing {
    uint32_t failures = 0;
    Duration wait{0};       // before anything more is checked
    bool repeated = false;  // its last guess, which was wrong
  };
  Standing look(std::string_view network, Guess guess, MonotonicTime now) const;
  // The same guess again does not count.
  void failed(std::string_view network, Guess guess, MonotonicTime now);
  size_t size() const;

 private:
  struct Record {
    std::string network;
    uint32_t failures = 0;
    Guess last = 0;
    MonotonicTime failed;
    MonotonicTime until;
  };
  using Records = std::list<Record>;  // that failed last, first

  const SeededHash hash_;
  mutable std::mutex mutex_;
  Records records_;
  std::unordered_map<std::string_view, Records::iterator, SeededHash> by_network_;
};

}  // namespace usher::proxy
