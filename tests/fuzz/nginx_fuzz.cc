// An nginx.conf: the input is the file, and what it includes is the input again. Whatever it says,
// settings or messages come of it.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "conf/nginx/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace usher;
  const std::string text(reinterpret_cast<const char*>(data), size);
  conf::nginx::Files files;
  files.read = [&](const std::string& path) -> Result<std::string> {
    if (path.ends_with("none")) return Error{Errc::not_found, Side::usher, "none"};
    return text.substr(0, 512);
  };
  files.glob = [](const std::string& pattern) { return std::vector{pattern, pattern}; };
  for (const bool lenient : {false, true}) {
    const auto made = conf::nginx::read("/f/nginx.conf", text, lenient, files);
    if (!made && made.error().detail.empty()) std::abort();
    if (made && made->settings.routes.empty()) std::abort();
  }
  return 0;
}
