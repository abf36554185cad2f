// Which trace a request belongs to: W3C Trace Context, the fields traceparent and tracestate. A
// trace that comes is passed on as it is; where none does, one begins here.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/headers.h"

namespace usher::protocol {

// True: the request belongs to a trace. Else what it said of one is removed: a traceparent that
// cannot be read, and a tracestate that says nothing without it (sections 3.2.2.5 and 3.3).
bool continue_trace(Headers& headers);

// The beginning of a trace (version 00) that is to be recorded: a replica that traces what nobody
// has decided about goes on to do so.
std::string make_traceparent(const std::array<uint8_t, 16>& trace,
                             const std::array<uint8_t, 8>& parent);

// 32 digits; empty: the request belongs to no trace.
std::string_view trace_id_of(const Headers& headers);

}  // namespace usher::protocol
