#include "routing/redis/cluster_slots.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "routing/redis/server_finder.h"

namespace usher::routing::redis {
namespace {

constexpr uint16_t crc16_polynomial = 0x1021;

constexpr std::array<uint16_t, 256> make_crc16_table() {
  std::array<uint16_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc << 1) ^ ((crc & 0x8000) != 0 ? crc16_polynomial : 0u);
    table[byte] = static_cast<uint16_t>(crc);
  }
  return table;
}

uint16_t crc16(std::string_view text) {
  static constexpr auto table = make_crc16_table();
  uint32_t crc = 0;
  for (const char c : text)
    crc = ((crc << 8) & 0xffff) ^ table[(crc >> 8) ^ static_cast<uint8_t>(c)];
  return static_cast<uint16_t>(crc);
}

Error bad(const char* what) {
  return {Errc::store_error, Side::store, std::string("a map of the cluster with ") + what};
}

std::optional<uint16_t> slot_in(const Reply& reply) {
  if (reply.kind != Reply::Kind::integer || reply.integer < 0 || reply.integer >= slot_count) {
    return std::nullopt;
  }
  return static_cast<uint16_t>(reply.integer);
}

}  // namespace

uint16_t slot_of(std::string_view key) {
  if (const auto open = key.find('{'); open != std::string_view::npos) {
    const auto close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) {
      key = key.substr(open + 1, close - open - 1);
    }
  }
  return crc16(key) % slot_count;
}

Result<SlotMap> SlotMap::parse(const Reply& reply, const std::string& asked) {
  if (reply.kind != Reply::Kind::array) return bad("no ranges");
  SlotMap map;
  for (const Reply& range : reply.array) {
    // first slot, last slot, the master, its replicas; a server is host, port, and more.
    if (range.kind != Reply::Kind::array || range.array.size() < 3) return bad("half a range");
    const auto first = slot_in(range.array[0]);
    const auto last = slot_in(range.array[1]);
    if (!first || !last || *first > *last) return bad("a range that is none");
    const Reply& server = range.array[2];
    if (server.kind != Reply::Kind::array || server.array.size() < 2) return bad("no master");
    const Reply& host = server.array[0];
    const Reply& port = server.array[1];
    const bool unnamed = host.kind == Reply::Kind::nil || host.text.empty();
    if (!unnamed && host.text == "?") continue;  // a member that is not yet known to who was asked
    if (port.kind != Reply::Kind::integer || port.integer <= 0 || port.integer > 65535 ||
        (!unnamed && !is_server_host(host.text))) {
      return bad("a master without an address");
    }
    const conf::Endpoint master{
        unnamed ? asked : host.text, static_cast<uint16_t>(port.integer), {}};
    const auto index = map.index_of(master);
    if (!index) return bad("too many masters");
    std::fill(map.owner_.begin() + *first, map.owner_.begin() + *last + 1, *index);
  }
  if (map.masters_.empty()) return bad("no ranges");
  return map;
}

const conf::Endpoint* SlotMap::master_of(uint16_t slot) const {
  const uint16_t index = owner_[slot];
  return index == nobody ? nullptr : &masters_[index];
}

bool SlotMap::assign(uint16_t slot, const conf::Endpoint& master) {
  const auto index = index_of(master);
  if (index) owner_[slot] = *index;
  return index.has_value();
}

bool SlotMap::complete() const {
  return std::find(owner_.begin(), owner_.end(), nobody) == owner_.end();
}

std::optional<uint16_t> SlotMap::index_of(const conf::Endpoint& master) {
  const auto known = std::find(masters_.begin(), masters_.end(), master);
  const auto index = static_cast<uint16_t>(known - masters_.begin());
  if (known != masters_.end()) return index;
  if (masters_.size() >= most_masters) return std::nullopt;
  masters_.push_back(master);
  return index;
}

std::optional<Redirection> parse_redirection(std::string_view refusal, const std::string& asked) {
  const auto [kind, rest] = cut(refusal, ' ');
  if (!rest || (kind != "MOVED" && kind != "ASK")) return std::nullopt;
  const auto [slot_text, server] = cut(*rest, ' ');
  const auto slot = parse_decimal<uint16_t>(slot_text);
  if (!server || !slot || *slot >= slot_count) return std::nullopt;
  // An IPv6 address stands there without brackets.
  const auto colon = server->rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view host = server->substr(0, colon);
  const auto port = parse_decimal<uint16_t>(server->substr(colon + 1));
  if (!port || *port == 0 || (!host.empty() && !is_server_host(host))) return std::nullopt;
  return Redirection{kind == "ASK", *slot, {host.empty() ? asked : std::string(host), *port, {}}};
}

}  // namespace usher::routing::redis
