// The limit of open files: what the process may open, and what it needs beside its clients.
#pragma once

#include <cstdint>

namespace usher::control {

struct DescriptorLimit {
  uint64_t soft = 0;
  uint64_t raised_from = 0;  // what it was when the process was started

  // Raises the soft limit as far as the process may: the default of many systems (1024) is for
  // programs that use select(), and a websocket takes two.
  static DescriptorLimit raise();
  // As it is now.
  static uint64_t current();
};

// How many are open now.
uint64_t open_descriptors();

// What is reserved for others than clients, their replicas and their files.
struct DescriptorNeeds {
  uint64_t at_start = 0;  // open before the first client came
  uint64_t admin = 0;
  uint64_t replicas = 0;  // each may be probed
  uint64_t workers = 0;
  bool shared_store = false;

  uint64_t sum() const;
};

}  // namespace usher::control
