#include "protocol/conditions.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/strings.h"
#include "protocol/http_date.h"

namespace usher::protocol {
namespace {

// No tag of ours has a comma in it.
bool names_tag(std::string_view list, std::string_view etag, bool weakly) {
  if (trim(list) == "*") return true;
  if (etag.empty()) return false;
  return any_element(list, [&](std::string_view tag) {
    if (weakly && tag.starts_with("W/")) tag.remove_prefix(2);
    return tag == etag;
  });
}

bool is_other_time(std::string_view text, std::time_t modified) {
  return parse_http_date(text) != modified;
}

bool is_for_this(std::string_view if_range, const Validators& validators) {
  if (if_range.ends_with('"')) return !validators.etag.empty() && if_range == validators.etag;
  return !is_other_time(if_range, validators.modified);
}

struct Span {
  uint64_t first;
  uint64_t last;
};

// "5-9", "5-" or "-5"; nothing when it is none of these or begins behind the end.
std::optional<Span> span_of(std::string_view text, uint64_t size) {
  const auto [from, to] = cut(text, '-');
  if (!to) return std::nullopt;
  const auto first = parse_decimal<uint64_t>(trim(from));
  const auto last = parse_decimal<uint64_t>(trim(*to));
  const bool open = trim(*to).empty();
  if (trim(from).empty()) {
    if (!last || *last == 0) return std::nullopt;
    return Span{size - std::min(*last, size), size - 1};
  }
  const bool good = first && (open || last) && *first < size && (open || *first <= *last);
  if (!good) return std::nullopt;
  return Span{*first, open ? size - 1 : std::min(*last, size - 1)};
}

}  // namespace

Condition condition_of(const Headers& request, const Validators& validators) {
  const auto [etag, modified] = validators;
  if (const auto since = request.get("If-Unmodified-Since")) {
    const auto time = parse_http_date(*since);
    if (time && *time < modified) return Condition::failed;
  }
  const auto match = request.get("If-Match");
  if (match && !names_tag(*match, etag, false)) return Condition::failed;
  const auto since = request.get("If-Modified-Since");
  const auto none = request.get("If-None-Match");
  if (!since && !none) return Condition::met;
  if (since && is_other_time(*since, modified)) return Condition::met;
  if (none && !names_tag(*none, etag, true)) return Condition::met;
  return Condition::not_modified;
}

RangeAsked range_of(const Headers& request, const Validators& validators, uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  const auto range = request.get("Range");
  if (size == 0 || !range || !starts_with_ignoring_case(*range, unit)) return {};
  const auto if_range = request.get("If-Range");
  if (if_range && !is_for_this(*if_range, validators)) return {};
  const auto parts = split_list(range->substr(unit.size()));
  if (parts.size() > 1) return {};
  const auto span = parts.empty() ? std::nullopt : span_of(parts.front(), size);
  if (!span) return {RangeAsked::Kind::unsatisfiable};
  return {RangeAsked::Kind::part, span->first, span->last - span->first + 1};
}

}  // namespace usher::protocol
