// A cookie as any client may send it. Unsigned, nothing must come of it; and so that the parts
// behind the signature are reached too, the input is tried once more with a good signature added.

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "routing/affinity_cookie.h"
#include "tls/digest.h"

namespace {

using namespace usher;

void expect(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const routing::AffinityCookies cookies(&tls::make_hmac_sha256, {{"new", "old"}});
  const std::string value(reinterpret_cast<const char*>(data), size);
  expect(!cookies.open(value) || size > 60);

  for (const char* secret : {"new", "old"}) {
    const auto mac = tls::make_hmac_sha256(bytes_of(secret))(value);
    const auto content = cookies.open(value + "." + to_base64url(std::span(mac).first(16)));
    if (!content) continue;
    expect(content->client.size() == 22 && content->replica_tag.size() == 11);
    expect(content->epoch > 0);
    expect(content->renew == (secret == std::string("old")));
    const auto again = cookies.open(cookies.seal(content->client, {"replica", content->epoch}));
    expect(again && again->client == content->client && again->epoch == content->epoch);
    expect(cookies.names(*again, "replica"));
  }
  return 0;
}
