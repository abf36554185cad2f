#include "protocol/field_rules.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace usher::protocol {
namespace {

struct Row {
  std::string_view name;
  uint8_t rules;
};

constexpr uint8_t hop = hop_by_hop | not_in_trailers;
constexpr uint8_t frames = framing_field | kept_from_connection | not_in_trailers;
constexpr uint8_t needed = kept_from_connection | not_in_trailers;

// By length: a lookup compares with the few names that are as long as the one asked for.
constexpr Row rows[] = {
    {"te", hop},
    {"age", not_in_trailers},
    {"via", not_in_trailers},
    {"date", needed},
    {"etag", kept_from_connection},
    {"host", needed},
    {"vary", needed},
    {"allow", needed},
    {"proxy", hop},
    {"range", needed},
    {"accept", needed},
    {"cookie", needed},
    {"expect", needed},
    {"origin", needed},
    {"pragma", not_in_trailers},
    {"expires", needed},
    {"referer", needed},
    {"trailer", hop},
    {"upgrade", hop},
    {"warning", not_in_trailers},
    {"if-match", needed},
    {"if-range", needed},
    {"location", needed},
    {"forwarded", needed},
    {"x-api-key", needed},
    {"x-real-ip", needed},
    {"connection", hop},
    {"keep-alive", hop},
    {"set-cookie", needed},
    {"tracestate", not_in_trailers},
    {"user-agent", needed},
    {"retry-after", not_in_trailers},
    {"traceparent", not_in_trailers},
    {"content-type", needed},
    {"max-forwards", needed},
    {"x-request-id", needed},
    {"accept-ranges", kept_from_connection},
    {"authorization", needed},
    {"cache-control", needed},
    {"content-range", needed},
    {"if-none-match", needed},
    {"last-modified", kept_from_connection},
    {"accept-charset", kept_from_connection},
    {"content-length", frames},
    {"http2-settings", hop},
    {"accept-encoding", kept_from_connection},
    {"accept-language", kept_from_connection},
    {"content-encoding", needed},
    {"content-language", needed},
    {"content-location", needed},
    {"www-authenticate", needed},
    {"if-modified-since", needed},
    {"transfer-encoding", frames | hop},
    {"content-disposition", needed},
    {"if-unmodified-since", needed},
    {"x-client-cert-subject", needed},
    {"x-client-cert-fingerprint", needed},
};

constexpr size_t longest = rows[std::size(rows) - 1].name.size();

// begins[n] is the first row whose name has n or more characters.
constexpr auto begins = [] {
  std::array<uint8_t, longest + 2> first{};
  for (size_t length = 0; length < first.size(); ++length) {
    while (first[length] < std::size(rows) && rows[first[length]].name.size() < length) {
      ++first[length];
    }
  }
  return first;
}();

static_assert(std::is_sorted(std::begin(rows), std::end(rows), [](const Row& a, const Row& b) {
  return a.name.size() < b.name.size();
}));

}  // namespace

uint8_t rules_of(std::string_view name) {
  if (name.empty()) return 0;
  switch (to_canonical(name.front())) {
    case 'x':
      if (starts_with_canonical(name, "x-forwarded-")) return needed;
      break;
    case 's':
      if (starts_with_canonical(name, "sec-websocket-")) return needed;
      break;
    case 'p':
      if (!starts_with_canonical(name, "proxy-")) break;
      // RFC 9209: what proxies on the way say to the client.
      return equals_canonical(name, "proxy-status") ? 0 : hop;
    default: break;
  }
  if (name.size() > longest) return 0;
  for (size_t row = begins[name.size()]; row < begins[name.size() + 1]; ++row) {
    if (equals_canonical(name, rows[row].name)) return rows[row].rules;
  }
  return 0;
}

}  // namespace usher::protocol
