#include "protocol/trace_context.h"

#include <algorithm>
#include <optional>
#include <span>

#include "base/strings.h"

namespace usher::protocol {
namespace {

constexpr std::string_view name = "traceparent";
// 00-<32 digits>-<16 digits>-<2 digits>; later versions may have more behind another hyphen.
constexpr size_t trace_at = 3;
constexpr size_t trace_size = 32;
constexpr size_t parent_at = 36;
constexpr size_t parent_size = 16;
constexpr size_t flags_at = 53;
constexpr size_t size = 55;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

bool is_traceparent(std::string_view text) {
  if (text.size() < size || text[2] != '-' || text[parent_at - 1] != '-' ||
      text[flags_at - 1] != '-') {
    return false;
  }
  const std::string_view version = text.substr(0, 2);
  if (!is_hex(version) || version == "ff") return false;
  if (text.size() > size && (version == "00" || text[size] != '-')) return false;
  return is_id(text.substr(trace_at, trace_size)) && is_id(text.substr(parent_at, parent_size)) &&
         is_hex(text.substr(flags_at, 2));
}

// Nothing where there are several: nobody could tell which one holds.
std::optional<std::string_view> traceparent_of(const Headers& headers) {
  if (headers.count(name) != 1) return std::nullopt;
  const auto text = headers.get(name);
  return text && is_traceparent(*text) ? text : std::nullopt;
}

}  // namespace

bool continue_trace(Headers& headers) {
  if (traceparent_of(headers)) return true;
  headers.remove(name);
  headers.remove("tracestate");
  return false;
}

std::string make_traceparent(const std::array<uint8_t, 16>& trace,
                             const std::array<uint8_t, 8>& parent) {
  return "00-" + to_hex(trace) + "-" + to_hex(parent) + "-01";
}

std::string_view trace_id_of(const Headers& headers) {
  const auto text = traceparent_of(headers);
  return text ? text->substr(trace_at, trace_size) : std::string_view();
}

}  // namespace usher::protocol
