// Heads as HTTP/2 carries them (RFC 9113 section 8): fields of a request put together to the head
// that HTTP/1.1 would have brought; a response's head as the fields to send.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/framing.h"
#include "protocol/message.h"

namespace usher::protocol {

class Http2HeadBuilder final {
 public:
  void begin(HeadLimits limits);
  // False: so far beyond the limits that nothing more should be read. What is just beyond them
  // makes an error of the request.
  bool add(std::string_view name, std::string_view value);
  // `ended`: the request has no body.
  Result<RequestHead> take_request(bool ended);
  Headers take_trailers();

 private:
  struct Piece {
    size_t start;
    size_t name;
    size_t value;
  };

  void take_fields(Headers& into, PseudoFields* pseudo) const;

  HeadLimits limits_;
  std::string text_;    // names and values, one after the other
  std::string cookie_;  // crumbs joined (section 8.2.3)
  std::vector<Piece> pieces_;
  size_t size_ = 0;
};

// The fields are valid until the next call.
class Http2FieldWriter final {
 public:
  std::span<const nghttp2_nv> head(uint16_t status, const ResponseHead& head);
  std::span<const nghttp2_nv> trailers(const Headers& trailers);

 private:
  void reserve(const Headers& headers);
  void add(std::string_view name, std::string_view value);

  std::string names_;  // in lower case
  std::string number_;
  std::string status_;
  std::vector<nghttp2_nv> fields_;
};

}  // namespace usher::protocol
