// Single values, as flags, variables and TOML strings have them: what was read and written again
// reads the same.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "conf/endpoint.h"
#include "conf/values.h"
#include "conf/words.h"

namespace {

using namespace usher::conf;

void require(bool condition) {
  if (!condition) std::abort();
}

void endpoints(std::string_view text) {
  const auto listen = parse_listen_endpoint(text);
  const auto replica = parse_replica_endpoint(text);
  require(listen || !replica);
  if (!listen) return;
  const auto again = parse_listen_endpoint(to_string(*listen));
  require(again && *again == *listen);
}

void replicas(std::string_view text) {
  const auto replica = parse_replica(text);
  if (!replica) return;
  const auto again = parse_replica(to_string(*replica));
  require(again && *again == *replica && replica->weight > 0);
}

void store_urls(std::string_view text) {
  const auto url = parse_store_url(text);
  if (!url || !url->password.empty() || !url->user.empty()) return;
  const auto again = parse_store_url(to_string(*url));
  require(again && *again == *url);
}

void networks(std::string_view text) {
  const auto network = parse_cidr(text);
  if (!network) return;
  const auto again = parse_cidr(to_string(*network));
  require(again && *again == *network);
}

void measures(std::string_view text) {
  Millis millis{};
  if (assign(text, millis, Rule{})) {
    Millis again{};
    require(assign(format_millis(millis), again, Rule{}).ok() && again == millis);
  }
  Size size;
  if (assign(text, size, Rule{})) {
    Size again;
    require(assign(format_size(size), again, Rule{}).ok() && again == size);
  }
}

template <typename T>
void texts(std::string_view text) {
  for (const Key& key : table_of<T>().keys) {
    std::string value;
    // A refused value says why, on one line.
    const auto outcome = assign(text, value, key.rule);
    require(outcome || outcome.error().detail.find('\n') == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  endpoints(text);
  replicas(text);
  store_urls(text);
  networks(text);
  measures(text);
  texts<RouteSettings>(text);
  texts<StoreSettings>(text);
  texts<UpstreamSettings>(text);
  texts<AffinitySettings>(text);
  constexpr std::string_view known[] = {"interval", "timeout", "path"};
  (void)nearest(text, known);
  require(in_quotes(text).size() >= 2);
  return 0;
}
