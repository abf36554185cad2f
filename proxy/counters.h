// What a worker counts. Written by its own thread, read by the control thread for metrics and
// status.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/error.h"
#include "proxy/diagnosis.h"
#include "proxy/websocket.h"
#include "routing/session_directory.h"

namespace usher::proxy {

class Counter final {
 public:
  // One writer only: no read-modify-write is needed.
  void add(uint64_t by = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  void subtract(uint64_t by = 1) {
    value_.store(value_.load(std::memory_order_relaxed) - by, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// One more, for as long as it lives.
class CountedIn final {
 public:
  explicit CountedIn(Counter& counter) : counter_(counter) { counter_.add(); }
  ~CountedIn() { counter_.subtract(); }
  CountedIn(const CountedIn&) = delete;
  CountedIn& operator=(const CountedIn&) = delete;

 private:
  Counter& counter_;
};

struct WorkerCounters {
  Counter connections;  // open now
  Counter accepted;
  Counter flooders_refused;
  Counter idle_closed;  // so that others find a descriptor
  Counter websockets;   // open now
  Counter websockets_opened;
  std::array<Counter, 3> websockets_closed;     // by the Side that began
  std::array<Counter, 6> responses;             // by status class; [0]: none was sent
  std::array<Counter, 5> affinity;              // by AffinityOutcome
  std::array<Counter, traffic_causes> errors;   // by Errc
  std::array<Counter, troubles> hints;          // by Trouble
  std::array<Counter, traffic_causes> retries;  // by the Errc of the attempt before
  Counter retries_refused;                      // by the budget
  Counter sids_not_kept;                        // because their network has its share in the store
  Counter queued;   // requests that waited for a place at a full replica
  Counter held;     // requests that wait now because no replica is up
  Counter delayed;  // requests that wait now until a rate allows them
  // Websockets that left a replica: by MoveReason, then by MoveOutcome.
  std::array<std::array<Counter, move_outcomes>, move_reasons> moves;
  Counter moving;  // now
  Counter parked;  // of these, with no replica to go to
  Counter bytes_in;
  Counter bytes_out;
  Counter requests;      // that have come
  Counter exchanges;     // under way
  Counter reading;       // connections of which a part of a head has come
  Counter lines_spared;  // of requests that the access log only counts
};

}  // namespace usher::proxy
