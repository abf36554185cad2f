// What stands under a key of ours, whoever wrote it.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "routing/redis/redis_store.h"

namespace {

void ring(std::string_view text) {
  const auto read = usher::routing::SecretRing::parse(text);
  if (read.entries().size() > usher::routing::SecretRing::most) std::abort();
  if (usher::routing::SecretRing::parse(read.to_text()) != read) std::abort();
  if (read.in_use(usher::WallTime()).empty() != read.empty()) std::abort();
}

void announcement(std::string_view text) {
  const auto moved = usher::routing::redis::parse_moved(text);
  if (moved && (moved->key.empty() || moved->binding.epoch == 0)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ring({reinterpret_cast<const char*>(data), size});
  announcement({reinterpret_cast<const char*>(data), size});
  using usher::routing::redis::parse_binding;
  const auto binding = parse_binding({reinterpret_cast<const char*>(data), size});
  if (!binding) return 0;
  if (binding->epoch == 0 || binding->replica.empty()) std::abort();
  // What is written back reads the same.
  const auto again = parse_binding(std::to_string(binding->epoch) + " " + binding->replica);
  if (again != binding) std::abort();
  return 0;
}
