#include "protocol/http1_writer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/strings.h"
#include "protocol/field_rules.h"

namespace usher::protocol {
namespace {

constexpr std::string_view line_end = "\r\n";

void write_number(std::string& out, uint64_t number, int base) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
  out.append(digits.data(), end);
}

void write_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append(line_end);
}

void write_framing(std::string& out, BodyFraming framing) {
  if (framing.kind == BodyKind::chunked) write_field(out, "Transfer-Encoding", "chunked");
  if (framing.kind != BodyKind::length) return;
  out.append("Content-Length: ");
  write_number(out, framing.length, 10);
  out.append(line_end);
}

// Room for the whole head at once.
void reserve_for(std::string& out, const Headers& headers, size_t first_line) {
  size_t size = first_line + 128;
  for (const Field& field : headers)
    size += field.name.size() + field.value.size() + 4;
  if (out.capacity() - out.size() < size)
    out.reserve(std::max(out.size() + size, 2 * out.capacity()));
}

bool is_passed_on(const Field& field) { return !field.is(hop_by_hop | framing_field); }

}  // namespace

void write_request_head(std::string& out, const RequestHead& head) {
  reserve_for(out, head.headers, head.method.size() + head.target.size() + head.authority.size());
  out.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
  write_field(out, "Host", head.authority);
  bool takes_trailers = false;
  for (const Field& field : head.headers) {
    if (!is_passed_on(field)) {
      takes_trailers |=
          equals_ignoring_case(field.name, "te") && list_has_token(field.value, "trailers");
      continue;
    }
    if (equals_canonical(field.name, "host")) continue;
    write_field(out, field.name, field.value);
  }
  if (head.wants_websocket) {
    out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  } else if (takes_trailers) {
    // RFC 9110 section 10.1.4: TE goes with its connection option.
    out.append("TE: trailers\r\nConnection: TE\r\n");
  }
  write_framing(out, head.body);
  out.append(line_end);
}

BodyFraming response_framing(BodyFraming from_replica, bool http10_client) {
  if (http10_client && from_replica.kind == BodyKind::chunked) return {BodyKind::until_close, 0};
  if (!http10_client && from_replica.kind == BodyKind::until_close) return {BodyKind::chunked, 0};
  return from_replica;
}

void write_response_head(std::string& out, const ResponseHead& head, ResponseOptions options) {
  reserve_for(out, head.headers, head.reason.size());
  out.append("HTTP/1.1 ");
  write_number(out, head.status, 10);
  out.append(" ").append(head.reason).append(line_end);
  for (const Field& field : head.headers) {
    if (is_passed_on(field)) write_field(out, field.name, field.value);
  }
  if (options.upgrade) {
    out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    return;
  }
  if (head.interim()) {
    out.append(line_end);
    return;
  }
  const auto framing = response_framing(head.body, options.http10_client);
  if (framing.kind == BodyKind::none && head.announced_length) {
    write_framing(out, {BodyKind::length, *head.announced_length});
  }
  write_framing(out, options.empty_body ? BodyFraming{BodyKind::length, 0} : framing);
  const bool closes = options.close || framing.kind == BodyKind::until_close;
  const std::string_view persistence = closes ? "close" : options.http10_client ? "keep-alive" : "";
  if (head.requires_websocket) {
    out.append("Upgrade: websocket\r\nConnection: Upgrade");
    if (!persistence.empty()) out.append(", ").append(persistence);
    out.append(line_end);
  } else if (!persistence.empty()) {
    write_field(out, "Connection", persistence);
  }
  out.append(line_end);
}

void write_chunk_prefix(std::string& out, size_t size) {
  write_number(out, size, 16);
  out.append(line_end);
}

void write_last_chunk(std::string& out, const Headers& trailers) {
  out.append("0\r\n");
  for (const Field& field : trailers) {
    if (!field.is(not_in_trailers)) write_field(out, field.name, field.value);
  }
  out.append(line_end);
}

}  // namespace usher::protocol
