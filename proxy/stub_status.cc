#include "proxy/stub_status.h"

namespace usher::proxy {

void StubStatus::add(const WorkerCounters& worker) {
  active += worker.connections.value();
  accepted += worker.accepted.value();
  requests += worker.requests.value();
  reading += worker.reading.value();
  writing += worker.exchanges.value() + worker.websockets.value();
}

std::string to_text(const StubStatus& status) {
  const uint64_t busy = status.reading + status.writing;
  const uint64_t waiting = status.active > busy ? status.active - busy : 0;
  std::string text = "Active connections: " + std::to_string(status.active) + " \n";
  text += "server accepts handled requests\n";
  for (const uint64_t number : {status.accepted, status.accepted, status.requests})
    text += " " + std::to_string(number);
  text += " \nReading: " + std::to_string(status.reading);
  text += " Writing: " + std::to_string(status.writing);
  return text + " Waiting: " + std::to_string(waiting) + " \n";
}

}  // namespace usher::proxy
