// HTTP/1.x in, one event at a time: bytes are fed by the caller, nothing is called back, and
// nothing beyond the current message is consumed (pipelined bytes stay with the caller). Of a head,
// the scanner passes each line, llhttp in its strict mode takes the whole apart, and framing.h
// decides; bodies are not llhttp's: chunked.h is stricter.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/framing.h"
#include "protocol/message.h"

namespace usher::protocol {

enum class ParsedKind : uint8_t {
  need_more,  // the input is used up
  head,       // take_head()
  data,       // `data` is a piece of the body, inside the input given
  end,        // the message is complete; take_trailers() has what followed a chunked body
};

struct Parsed {
  ParsedKind kind = ParsedKind::need_more;
  std::span<const char> data;
};

// Requests from a client. After `end` the next call begins the next request; call it when it is
// wanted.
class RequestParser final {
 public:
  explicit RequestParser(HeadLimits limits);
  ~RequestParser();

  // Removes what it used from the front of input. One empty line before a request is overlooked
  // (RFC 9112 section 2.2). Errors: bad_request, head_too_large, uri_too_long, not_implemented,
  // version_not_supported, expectation_failed; after an error the connection must be closed.
  Result<Parsed> next(std::span<const char>& input);
  RequestHead take_head();
  Headers take_trailers();

  // No byte of a next request has been seen: the connection may be closed without harm.
  bool between_messages() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Responses from a replica.
class ResponseParser final {
 public:
  explicit ResponseParser(HeadLimits limits);
  ~ResponseParser();

  // Before each response: the method it answers (a HEAD's has no body). Interim responses (1xx) are
  // heads of their own, without `end`; the final one follows. After the head of a 101 the rest of
  // the input belongs to the new protocol and is left alone.
  void expect(std::string_view request_method);

  // Errors: replica_bad_response.
  Result<Parsed> next(std::span<const char>& input);
  // The replica ended the connection. True: that completes the response (a body until close).
  bool complete_at_close();
  ResponseHead take_head();
  Headers take_trailers();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace usher::protocol
