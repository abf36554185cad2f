// Certificate and key files: whatever stands in them is refused with a reason or can be shown.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tls/credential.h"
#include "tls/server_context.h"

// The chain's text, a zero byte, the key's text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t middle = std::min(text.find('\0'), size);
  const usher::tls::PemPair pem{std::string(text.substr(0, middle)),
                                std::string(text.substr(std::min(middle + 1, size)))};
  const auto credential = usher::tls::Credential::parse(pem, "chain", "key");
  if (!credential) {
    if (credential.error().detail.empty()) std::abort();
    return 0;
  }
  for (const std::string& name : (*credential)->names()) {
    if (name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos) std::abort();
  }
  if (!usher::tls::ServerContext::make({}, {*credential})) std::abort();
  return 0;
}
