// Decodes the chunked transfer coding (RFC 9112 section 7.1), stricter than llhttp 8.1 does: CRLF
// only, sizes of hexadecimal digits and nothing else, extensions by the grammar with its bad white
// space and few, trailer fields through the same gate as a head's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "protocol/framing.h"
#include "protocol/head_scanner.h"
#include "protocol/headers.h"

namespace usher::protocol {

class ChunkedDecoder final {
 public:
  explicit ChunkedDecoder(HeadLimits limits) : trailer_text_(HeadKind::trailers, limits) {}

  struct Step {
    Fault fault;
    std::span<const char> data;  // a piece of the body, inside the input; empty: none in this step
    bool done = false;           // the last octet of the message has been used
  };
  // Removes what it used from the front of input; without data, fault or done the input is used up.
  Step next(std::span<const char>& input);
  Headers take_trailers() { return std::move(trailers_); }

 private:
  enum class State : uint8_t {
    size_first,
    size,
    extension_semicolon,
    extension_name_first,
    extension_name,
    extension_name_end,
    extension_value_first,
    extension_token,
    extension_quoted,
    extension_escaped,
    extension_quoted_end,
    size_line_feed,
    data,
    data_carriage_return,
    data_line_feed,
    trailer,
    done,
  };

  // Of one body, all chunks together: nobody sends extensions but to hide something in them.
  static constexpr size_t extension_limit = 4096;
  static constexpr uint8_t size_digits_limit = 15;

  Fault size_octet(char octet);
  Fault extension_octet(char octet);
  Fault end_of_size(char octet);
  Fault end_of_name(char octet);
  Fault read_trailers(std::span<const char>& input);

  State state_ = State::size_first;
  uint8_t size_digits_ = 0;
  uint16_t extension_octets_ = 0;
  uint64_t left_ = 0;
  HeadReader trailer_text_;
  Headers trailers_;
};

}  // namespace usher::protocol
