#include "protocol/chunked.h"

#include <algorithm>

#include "base/strings.h"
#include "protocol/octets.h"

namespace usher::protocol {
namespace {

Fault bad(std::string_view detail) { return {Errc::bad_request, detail}; }

bool is_blank(char octet) { return octet == ' ' || octet == '\t'; }

unsigned hex_value(char octet) {
  return is_digit(octet) ? static_cast<unsigned>(octet - '0')
                         : static_cast<unsigned>(to_lower(octet) - 'a' + 10);
}

}  // namespace

ChunkedDecoder::Step ChunkedDecoder::next(std::span<const char>& input) {
  while (true) {
    if (state_ == State::done) return {.fault = {}, .data = {}, .done = true};
    if (input.empty()) return {};
    if (state_ == State::data) {
      const auto piece = input.first(static_cast<size_t>(std::min<uint64_t>(left_, input.size())));
      input = input.subspan(piece.size());
      left_ -= piece.size();
      if (left_ == 0) state_ = State::data_carriage_return;
      return {.fault = {}, .data = piece, .done = false};
    }
    if (state_ == State::trailer) {
      if (const auto fault = read_trailers(input))
        return {.fault = fault, .data = {}, .done = false};
      continue;
    }
    const char octet = input.front();
    input = input.subspan(1);
    if (const auto fault = size_octet(octet)) return {.fault = fault, .data = {}, .done = false};
  }
}

// The line with the size, and the line end after the data before it.
Fault ChunkedDecoder::size_octet(char octet) {
  switch (state_) {
    case State::data_carriage_return:
      state_ = State::data_line_feed;
      return octet == '\r' ? Fault{} : bad("chunk longer than its size");
    case State::data_line_feed:
      state_ = State::size_first;
      return octet == '\n' ? Fault{} : bad("chunk longer than its size");
    case State::size_first:
      size_digits_ = 0;
      left_ = 0;
      state_ = State::size;
      [[fallthrough]];
    case State::size:
      if (!is_octet(octet, hex_octet))
        return size_digits_ > 0 ? end_of_size(octet) : bad("chunk size");
      if (++size_digits_ > size_digits_limit) return bad("chunk size too large");
      left_ = left_ << 4 | hex_value(octet);
      return {};
    case State::size_line_feed:
      state_ = left_ > 0 ? State::data : State::trailer;
      return octet == '\n' ? Fault{} : bad("carriage return without line feed in a chunk size");
    default:
      if (++extension_octets_ > extension_limit) return bad("chunk extensions too large");
      return extension_octet(octet);
  }
}

Fault ChunkedDecoder::end_of_size(char octet) {
  if (octet == '\r') {
    state_ = State::size_line_feed;
  } else if (octet == ';') {
    state_ = State::extension_name_first;
  } else if (is_blank(octet)) {
    state_ = State::extension_semicolon;
  } else {
    return bad("chunk size");
  }
  return {};
}

// *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ): white space around the marks,
// but none at the end of the line.
Fault ChunkedDecoder::extension_octet(char octet) {
  const bool token = is_octet(octet, token_octet);
  switch (state_) {
    case State::extension_semicolon:
      if (is_blank(octet)) return {};
      state_ = State::extension_name_first;
      return octet == ';' ? Fault{} : bad("white space behind a chunk size");
    case State::extension_name_first:
      if (is_blank(octet)) return {};
      state_ = State::extension_name;
      return token ? Fault{} : bad("chunk extension");
    case State::extension_name:
      if (token) return {};
      if (is_blank(octet)) {
        state_ = State::extension_name_end;
        return {};
      }
      return end_of_name(octet);
    case State::extension_name_end:
      if (is_blank(octet)) return {};
      return octet == '\r' ? bad("white space behind a chunk extension") : end_of_name(octet);
    case State::extension_value_first:
      if (is_blank(octet)) return {};
      state_ = octet == '"' ? State::extension_quoted : State::extension_token;
      return token || octet == '"' ? Fault{} : bad("chunk extension");
    case State::extension_token: return token ? Fault{} : end_of_size(octet);
    case State::extension_quoted:
      if (octet == '"') state_ = State::extension_quoted_end;
      if (octet == '\\') state_ = State::extension_escaped;
      return octet == '"' || octet == '\\' || is_octet(octet, quoted_octet)
                 ? Fault{}
                 : bad("chunk extension");
    case State::extension_escaped:
      state_ = State::extension_quoted;
      return is_field_value({&octet, 1}) ? Fault{} : bad("chunk extension");
    default: return end_of_size(octet);
  }
}

Fault ChunkedDecoder::end_of_name(char octet) {
  if (octet != '=') return end_of_size(octet);
  state_ = State::extension_value_first;
  return {};
}

Fault ChunkedDecoder::read_trailers(std::span<const char>& input) {
  if (const auto fault = trailer_text_.next(input)) return fault;
  if (!trailer_text_.complete()) return {};
  // "\r\n" alone is the usual case: no trailers.
  if (trailer_text_.fields() > 0) {
    auto lines = trailers_.keep(trailer_text_.text());
    trailers_.reserve(trailer_text_.fields());
    while (lines.size() > 2) {
      const auto colon = lines.find(':');
      const auto end = lines.find('\r');
      trailers_.append_kept(lines.substr(0, colon), trim(lines.substr(colon + 1, end - colon - 1)));
      lines.remove_prefix(end + 2);
    }
  }
  trailer_text_.reset();
  state_ = State::done;
  return {};
}

}  // namespace usher::protocol
