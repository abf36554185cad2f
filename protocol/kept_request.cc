#include "protocol/kept_request.h"

#include "base/strings.h"

namespace usher::protocol {
namespace {

// No part of a head contains it (RFC 9110 section 5.5).
constexpr char end_of_part = '\0';

}  // namespace

std::string keep_request(const RequestHead& head) {
  size_t size = head.target.size() + head.authority.size() + 2;
  for (const Field& field : head.headers)
    size += field.name.size() + field.value.size() + 2;
  std::string kept;
  kept.reserve(size);
  kept.append(head.target) += end_of_part;
  kept.append(head.authority) += end_of_part;
  for (const Field& field : head.headers) {
    kept.append(field.name) += end_of_part;
    kept.append(field.value) += end_of_part;
  }
  return kept;
}

RequestHead recall_handshake(std::string_view kept) {
  const auto next = [&kept] {
    const auto [part, rest] = cut(kept, end_of_part);
    kept = rest.value_or(std::string_view());
    return part;
  };
  RequestHead head;
  head.method = "GET";
  head.wants_websocket = true;
  head.target = head.headers.keep(next());
  head.authority = head.headers.keep(next());
  while (!kept.empty()) {
    const auto name = next();
    head.headers.append(name, next());
  }
  return head;
}

}  // namespace usher::protocol
