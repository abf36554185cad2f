// What stands under a key of ours, whoever wrote it.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "routing/redis/redis_store.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using usher::routing::redis::parse_binding;
  const auto binding = parse_binding({reinterpret_cast<const char*>(data), size});
  if (!binding) return 0;
  if (binding->epoch == 0 || binding->replica.empty()) std::abort();
  // What is written back reads the same.
  const auto again = parse_binding(std::to_string(binding->epoch) + " " + binding->replica);
  if (again != binding) std::abort();
  return 0;
}
