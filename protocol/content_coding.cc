#include "protocol/content_coding.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "protocol/http_date.h"

namespace usher::protocol {
namespace {

// RFC 9110 section 12.4.2: "q=" and a number from 0 to 1 with at most three decimals; 0 is a
// refusal.
bool is_weight_above_0(std::string_view text) {
  if (!starts_with_ignoring_case(text, "q=")) return false;
  const auto [whole, decimals] = cut(text.substr(2), '.');
  const std::string_view fraction = decimals.value_or(std::string_view());
  const bool zeros = fraction.find_first_not_of('0') == std::string_view::npos;
  if (fraction.size() > 3 || !std::all_of(fraction.begin(), fraction.end(), is_digit)) return false;
  return whole == "1" ? zeros : whole == "0" && !zeros;
}

bool is_event_stream(std::string_view type) {
  return equals_ignoring_case(type, "text/event-stream");
}

// What was strong says that every octet is the same (RFC 9110 section 8.8.1).
void weaken_etag(Headers& headers) {
  const auto tag = headers.get("ETag");
  if (!tag || tag->starts_with("W/")) return;
  if (tag->starts_with('"')) {
    headers.set("ETag", "W/" + std::string(*tag));
  } else {
    headers.remove("ETag");
  }
}

void vary_by_coding(Headers& headers) {
  if (!headers.has_token("Vary", "Accept-Encoding")) headers.append("Vary", "Accept-Encoding");
}

void become_gzip(ResponseHead& head) {
  head.headers.remove("Content-Length");
  head.headers.remove("Accept-Ranges");
  weaken_etag(head.headers);
  head.headers.append("Content-Encoding", "gzip");
  head.announced_length.reset();
  if (head.body.kind != BodyKind::none) head.body = {BodyKind::chunked, 0};
}

// RFC 9110 section 15.4.5: a 304 says what the 200 would have said. Whether that was compressed
// does not stand in it: as a rule it has no Content-Type, and a length would be that of the plain
// body. A weak tag matches a strong one as well, in the client and in the replica.
void confirm(ResponseHead& head, bool vary, bool gzip) {
  head.announced_length.reset();
  if (vary) vary_by_coding(head.headers);
  if (gzip) weaken_etag(head.headers);
}

}  // namespace

bool accepts_gzip(const Headers& headers) {
  bool accepted = false;
  for (const Field& field : headers) {
    if (!equals_ignoring_case(field.name, "accept-encoding")) continue;
    const bool named = any_element(field.value, [&](std::string_view element) {
      const auto [coding, weight] = cut(element, ';');
      if (!equals_ignoring_case(trim(coding), "gzip")) return false;
      accepted = !weight || is_weight_above_0(trim(*weight));
      return true;
    });
    if (named) break;
  }
  return accepted;
}

CodingWish read_coding_wish(const RequestHead& request) {
  return {.gzip = request.minor_version > 0 && accepts_gzip(request.headers),
          .proxied = request.headers.has("Via"),
          .authorized = request.headers.has("Authorization")};
}

Compression::Compression(const conf::CompressionSettings& settings)
    : types_(settings.types),
      any_type_(std::find(types_.begin(), types_.end(), "*") != types_.end()),
      level_(static_cast<int>(settings.level)),
      min_length_(settings.min_length.bytes),
      vary_(settings.vary) {
  for (const std::string& word : settings.proxied)
    proxied_ |= bit_of(word);
}

uint8_t Compression::bit_of(std::string_view word) {
  constexpr std::pair<std::string_view, Proxied> words[] = {
      {"expired", expired},
      {"no-cache", no_cache},
      {"no-store", no_store},
      {"private", private_only},
      {"no_last_modified", no_last_modified},
      {"no_etag", no_etag},
      {"auth", auth},
      {"any", any},
  };
  for (const auto& [name, bit] : words) {
    if (name == word) return bit;
  }
  return 0;
}

bool Compression::apply(const CodingWish& wish, WallTime now, ResponseHead& head) const {
  if (head.status == 304 && (!head.headers.has("Content-Type") || has_type(head.headers))) {
    confirm(head, vary_, wish.gzip);
  }
  if (!fits(head)) return false;
  if (vary_) vary_by_coding(head.headers);
  if (!wish.gzip || (wish.proxied && !admits(wish, now, head.headers))) return false;
  become_gzip(head);
  return true;
}

bool Compression::fits(const ResponseHead& head) const {
  if (head.status != 200 && head.status != 403 && head.status != 404) return false;
  const auto coding = head.headers.get("Content-Encoding");
  if (coding && !coding->empty()) return false;
  const auto length =
      head.body.kind == BodyKind::length ? std::optional(head.body.length) : head.announced_length;
  return (!length || *length >= min_length_) && has_type(head.headers);
}

// A stream of events passes as it is, whatever the types say: nothing is to come between an event
// and its reader.
bool Compression::has_type(const Headers& headers) const {
  const auto field = headers.get("Content-Type");
  const std::string_view type = trim(cut(field.value_or(std::string_view()), ';').first);
  if (is_event_stream(type)) return false;
  return any_type_ || std::any_of(types_.begin(), types_.end(), [type](const std::string& wanted) {
           return equals_ignoring_case(wanted, type);
         });
}

// In nginx's order: what says something decides, and what nothing speaks against is admitted.
bool Compression::admits(const CodingWish& wish, WallTime now, const Headers& headers) const {
  const auto has = [this](Proxied bit) { return (proxied_ & bit) != 0; };
  if (proxied_ == 0) return false;
  if (has(any) || (wish.authorized && has(auth))) return true;
  if (const auto expires = headers.get("Expires")) {
    const auto time = parse_http_date(*expires);
    return has(expired) && time && std::chrono::system_clock::from_time_t(*time) < now;
  }
  if (headers.has("Cache-Control")) return admits_control(headers);
  if (has(no_last_modified) && headers.has("Last-Modified")) return false;
  return !has(no_etag) || !headers.has("ETag");
}

bool Compression::admits_control(const Headers& headers) const {
  const auto allows = [&](Proxied bit, std::string_view directive) {
    return (proxied_ & bit) != 0 && headers.has_token("Cache-Control", directive);
  };
  return allows(no_cache, "no-cache") || allows(no_store, "no-store") ||
         allows(private_only, "private");
}

}  // namespace usher::protocol
