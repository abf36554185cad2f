// Three versions, a line each: whatever they say, they have one order.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "routing/version.h"

namespace {

std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using usher::routing::compare_versions;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view a = take_line(text);
  const std::string_view b = take_line(text);
  const std::string_view c = take_line(text);
  if (compare_versions(a, a) != 0) std::abort();
  const auto ab = compare_versions(a, b);
  const auto bc = compare_versions(b, c);
  const auto ac = compare_versions(a, c);
  if (compare_versions(b, a) != (0 <=> ab)) std::abort();
  if (ab <= 0 && bc <= 0 && ac > 0) std::abort();
  if (ab < 0 && bc <= 0 && ac >= 0) std::abort();
  if (ab == 0 && ac != bc) std::abort();
  return 0;
}
