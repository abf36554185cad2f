// How many requests and websockets this node has at a replica, when there is a limit
// (upstream.max_connections), and who waits for a place, in order. Any thread; the mutex is taken
// only while somebody waits.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

namespace usher::routing {

class ReplicaGate final {
 public:
  // A worker's waiters at this gate, seen from the gate: it knows how many they are, not who.
  class Line {
   public:
    // A place is taken for the first of them. Called by any thread, under the gate's mutex: it may
    // only leave a message.
    virtual void on_turn(ReplicaGate& gate) = 0;

   protected:
    ~Line() = default;
  };

  // A place if fewer than `most` are taken and nobody waits for one.
  bool enter(uint32_t most);
  // Another one waits in `line`. False: `longest` wait already. Its turn may come at once.
  bool wait(Line& line, uint32_t most, uint32_t longest);
  // One in `line` waits no more. False: its turn has come; who hears of it must leave().
  bool give_up(Line& line);
  void leave();

  bool full(uint32_t most) const {
    return most > 0 && (waiting() > 0 || taken_.load(std::memory_order_relaxed) >= most);
  }
  uint32_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  bool take(uint32_t most);
  void admit();

  // Who waits says so and then looks for a place; who leaves frees the place and then looks who
  // waits: with these two in sequential order none is missed.
  std::atomic<uint32_t> taken_{0};
  std::atomic<uint32_t> waiting_{0};
  std::mutex mutex_;
  std::deque<Line*> line_;  // one entry for each who waits
  uint32_t most_ = 0;
};

// A place at a gate, or none; given back when it goes.
class Place final {
 public:
  Place() = default;
  explicit Place(ReplicaGate& gate) : gate_(&gate) {}
  ~Place() { reset(); }
  Place(Place&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
  Place& operator=(Place&& other) noexcept {
    if (this != &other) {
      reset();
      gate_ = std::exchange(other.gate_, nullptr);
    }
    return *this;
  }

  void reset() {
    if (ReplicaGate* const gate = std::exchange(gate_, nullptr)) gate->leave();
  }

 private:
  ReplicaGate* gate_ = nullptr;
};

}  // namespace usher::routing
