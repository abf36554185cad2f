// Requests for something on conditions, and for a part of it: RFC 9110 sections 13 and 14.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

#include "protocol/headers.h"

namespace usher::protocol {

// What tells one state of something from another.
struct Validators {
  std::string etag;  // a strong one, with its quotes; empty: none is sent
  std::time_t modified = 0;
};

enum class Condition : uint8_t { met, not_modified, failed };

// Of If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since, as nginx weighs them: one
// of the first two that does not hold has failed; nothing is modified if both of the others say so
// that are there; a time of If-Modified-Since counts when it is exactly the one that was told.
Condition condition_of(const Headers& request, const Validators& validators);

struct RangeAsked {
  enum class Kind : uint8_t { whole, part, unsatisfiable };
  Kind kind = Kind::whole;
  uint64_t first = 0;  // of a part
  uint64_t length = 0;
};

// Of Range, if If-Range allows it. The whole where nothing else is asked for, in other units, and
// where several ranges are, which a server may ignore (RFC 9110 section 14.2); and of nothing.
RangeAsked range_of(const Headers& request, const Validators& validators, uint64_t size);

}  // namespace usher::protocol
