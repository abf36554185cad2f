// nginx's stub_status: seven numbers of all workers together, as a text that monitoring reads.
#pragma once

#include <cstdint>
#include <string>

#include "proxy/counters.h"

namespace usher::proxy {

struct StubStatus {
  uint64_t active = 0;    // connections open now
  uint64_t accepted = 0;  // in all
  uint64_t requests = 0;  // in all
  uint64_t reading = 0;   // of heads that have come in part
  uint64_t writing = 0;   // requests and websockets under way; each stream of HTTP/2 is one

  void add(const WorkerCounters& worker);
};

// Connections that wait for a request are the rest: none, where streams are more than connections.
std::string to_text(const StubStatus& status);

}  // namespace usher::proxy
