// One line for each request: what is known of it, and how JSON and texts say it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace usher::proxy {

// What is known of one request when it is over. Views live during the call only.
struct AccessRecord {
  WallTime time;
  std::string_view client;
  std::string_view method;
  std::string_view host;
  std::string_view target;  // with its query: `path` in the log is without
  std::string_view protocol;
  uint16_t status = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  Duration duration{0};
  Duration first_byte{-1};  // negative: there was none
  std::string_view replica;
  std::string_view affinity;
  unsigned attempts = 0;
  std::string_view closed_by;  // of a websocket: who began to close it
  std::string error;
  std::string_view request_id;
  std::string_view trace_id;  // of traceparent
  std::string_view user_agent;
};

// Quotes, backslashes and what is no printable ASCII as \xHH, as nginx does; "-" for nothing. Cut
// as log_text.h says.
void append_escaped(std::string& line, std::string_view text);
std::string to_json(const AccessRecord& record, std::string_view node);

}  // namespace usher::proxy
