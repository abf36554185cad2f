// A reply as RESP2 has it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace usher::routing::redis {

struct Reply {
  // A refusal ("-OOM …") is met only inside arrays: at the top it comes as Error{store_error}.
  enum class Kind : uint8_t { nil, integer, text, array, refusal };
  Kind kind = Kind::nil;
  int64_t integer = 0;
  std::string text;
  std::vector<Reply> array;
};

}  // namespace usher::routing::redis
