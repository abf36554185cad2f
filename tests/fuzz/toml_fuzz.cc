// Whole files: whatever is in one, reading it ends in settings or in messages that point into the
// file, and settings that were read can be described and checked again.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "conf/checks.h"
#include "conf/describe.h"
#include "conf/toml_reader.h"

namespace {

using namespace usher::conf;

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto read = read_toml("f", {reinterpret_cast<const char*>(data), size});
  if (!read) {
    require(read.error().detail.starts_with("f:"));
    return 0;
  }
  const Settings& settings = read->settings;
  require(!settings.listen.empty() && !settings.upstreams.empty() && !settings.routes.empty());
  for (const auto& upstream : settings.upstreams)
    require(!upstream.replicas.empty());

  Problems problems("f");
  check(settings, {}, problems);
  require(!problems.any_error());
  Loaded loaded;
  loaded.settings = settings;
  loaded.warnings = read->warnings;
  require(!describe(loaded).empty());
  return 0;
}
