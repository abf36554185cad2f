// What members of a cluster and Sentinels say of other servers: whatever it is, an address that is
// taken out of it is one to connect to, and a slot is a slot.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "routing/redis/cluster_slots.h"
#include "routing/redis/resp.h"
#include "routing/redis/sentinel_finder.h"

namespace {

using namespace usher::routing::redis;  // NOLINT: a fuzz target

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const usher::conf::Endpoint& server) {
  require(!server.host.empty() && server.port != 0);
  require(is_server_host(server.host));
}

void check(const SlotMap& map) {
  require(!map.masters().empty() && map.masters().size() <= SlotMap::most_masters);
  for (const auto& master : map.masters())
    check(master);
  bool complete = true;
  for (uint16_t slot = 0; slot < slot_count; ++slot) {
    const auto* master = map.master_of(slot);
    complete = complete && master;
  }
  require(complete == map.complete());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  require(slot_of(text) < slot_count);
  if (const auto redirection = parse_redirection(text, "asked")) {
    require(redirection->slot < slot_count);
    check(redirection->target);
  }
  ReplyReader reader;
  reader.feed(text);
  for (auto reply = reader.next(); reply && *reply; reply = reader.next()) {
    if (const auto map = SlotMap::parse(**reply, "asked")) check(*map);
    if (const auto master = parse_master(**reply)) check(*master);
  }
  return 0;
}
