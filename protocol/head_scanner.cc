#include "protocol/head_scanner.h"

#include <algorithm>

#include "base/strings.h"
#include "protocol/octets.h"

namespace usher::protocol {
namespace {

Fault bad(std::string_view detail) { return {Errc::bad_request, detail}; }

Fault check_version(std::string_view version) {
  if (version == "HTTP/1.1" || version == "HTTP/1.0") return {};
  const bool well_formed = version.size() == 8 && version.starts_with("HTTP/") &&
                           is_digit(version[5]) && version[6] == '.' && is_digit(version[7]);
  // RFC 9110 section 2.5: a later HTTP/1 is read as the latest that is known.
  if (well_formed && version[5] == '1') return {};
  if (well_formed) return {Errc::version_not_supported, "HTTP version"};
  return bad("malformed HTTP version");
}

}  // namespace

Fault check_method(std::string_view method) {
  switch (method.size()) {
    case 3:
      if (equals_ignoring_case(method, "PRI")) return bad("the method of HTTP/2's preface");
      break;
    case 5:
      if (equals_ignoring_case(method, "TRACE")) return {Errc::not_implemented, "TRACE"};
      break;
    case 7:
      if (equals_ignoring_case(method, "CONNECT")) return {Errc::not_implemented, "CONNECT"};
      break;
    default: break;
  }
  return is_all(method, token_octet) ? Fault{} : bad("malformed method");
}

Fault check_request_line(std::string_view line) {
  const auto [method, after_method] = cut(line, ' ');
  if (!after_method) return bad("request line without a target");
  const auto [target, version] = cut(*after_method, ' ');
  if (!is_all(target, target_octet)) return bad("character in the request target");
  if (!version) return bad("request line without a version");
  if (const auto fault = check_version(*version)) return fault;
  return check_method(method);
}

Fault check_status_line(std::string_view line) {
  if (const auto fault = check_version(line.substr(0, 8))) return fault;
  line.remove_prefix(8);
  if (line.size() < 4 || line[0] != ' ' || line[1] < '1' || !is_digit(line[1]) ||
      !is_digit(line[2]) || !is_digit(line[3])) {
    return bad("malformed status code");
  }
  line.remove_prefix(4);
  // Some servers leave out the space before an empty reason.
  if (!line.empty() && line[0] != ' ') return bad("malformed status code");
  return is_field_value(line) ? Fault{} : bad("control character in the reason");
}

Fault check_field_line(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') return bad("folded header field");
  const auto colon = std::find_if(line.begin(), line.end(),
                                  [](char octet) { return !is_octet(octet, token_octet); });
  if (colon == line.end() || *colon != ':' || colon == line.begin()) {
    return bad("malformed header field name");
  }
  const auto value = line.substr(static_cast<size_t>(colon - line.begin()) + 1);
  return is_field_value(value) ? Fault{} : bad("control character in a header field");
}

Fault HeadScanner::check_line(std::string_view line) {
  if (lines_ > 0 || kind_ == HeadKind::trailers) return check_field_line(line);
  return kind_ == HeadKind::request ? check_request_line(line) : check_status_line(line);
}

Fault HeadScanner::scan(std::string_view text) {
  // What lies beyond the limit is not looked at: the verdict must not depend on how the head is
  // cut.
  const auto within = text.substr(0, limits_.bytes);
  const auto lines_allowed = limits_.fields + (kind_ == HeadKind::trailers ? 0 : 1);
  while (true) {
    const auto line_feed = within.find('\n', scanned_);
    if (line_feed == std::string_view::npos) break;
    scanned_ = line_feed + 1;
    if (line_feed == line_start_ || within[line_feed - 1] != '\r') {
      return bad("line feed without carriage return");
    }
    const auto line = within.substr(line_start_, line_feed - 1 - line_start_);
    line_start_ = scanned_;
    if (line.empty() && (lines_ > 0 || kind_ == HeadKind::trailers)) {
      size_ = scanned_;
      return {};
    }
    if (lines_ >= lines_allowed) return {Errc::head_too_large, "too many header fields"};
    if (const auto fault = check_line(line)) return fault;
    ++lines_;
  }
  scanned_ = within.size();
  if (within.size() < limits_.bytes) return {};
  if (lines_ == 0 && kind_ == HeadKind::request) return {Errc::uri_too_long, "request line"};
  return {Errc::head_too_large, "head"};
}

Fault HeadReader::next(std::span<const char>& input) {
  if (input.empty()) return {};
  const std::string_view arrived(input.data(), input.size());
  if (collected_.empty()) {
    if (const auto fault = scanner_.scan(arrived)) return fault;
    if (complete()) {
      text_ = arrived.substr(0, scanner_.size());
      input = input.subspan(text_.size());
      return {};
    }
  }

  // Below the limit: the scanner gives up when it has seen so much without an end.
  const auto before = collected_.size();
  collected_.append(arrived.substr(0, limits_.bytes - before));
  if (const auto fault = scanner_.scan(collected_)) return fault;
  if (!complete()) {
    input = {};
    return {};
  }
  text_ = std::string_view(collected_).substr(0, scanner_.size());
  input = input.subspan(text_.size() - before);
  return {};
}

void HeadReader::reset() {
  scanner_ = HeadScanner(kind_, limits_);
  collected_ = std::string();
  text_ = {};
}

Outcome check_head_bytes(std::string_view head) {
  const auto kind = head.starts_with("HTTP/") ? HeadKind::response : HeadKind::request;
  HeadScanner scanner(kind, {.bytes = head.size() + 1, .fields = head.size()});
  if (const auto fault = scanner.scan(head)) {
    return Error{fault.code, Side::client, std::string(fault.detail)};
  }
  if (!scanner.complete() || scanner.size() != head.size())
    return Error{Errc::bad_request, Side::client, "not one head"};
  return {};
}

}  // namespace usher::protocol
