// Which responses go out gzipped: what a client takes (RFC 9110 section 12.5.3) and what a route's
// compression wants, with nginx's meaning of both. Nothing is compressed in here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "conf/settings.h"
#include "protocol/message.h"

namespace usher::protocol {

// Is gzip named, with a weight above 0? As with nginx "*" does not name it, of several mentions the
// first counts, and one with a malformed weight is a refusal.
bool accepts_gzip(const Headers& headers);

// What a request says of it, before forwarding changes its fields.
struct CodingWish {
  bool gzip = false;  // accepted, by a client of HTTP/1.1 or later
  bool proxied = false;
  bool authorized = false;
};
CodingWish read_coding_wish(const RequestHead& request);

// A route's `compression`.
class Compression final {
 public:
  explicit Compression(const conf::CompressionSettings& settings);

  int level() const { return level_; }

  // True: `head` has been made that of a gzipped response, whose length is not known. False: its
  // body goes out as it is. Where that depends on the wish alone, Vary says so either way. `now` is
  // what an Expires is compared with.
  bool apply(const CodingWish& wish, WallTime now, ResponseHead& head) const;

 private:
  // What a proxied request's response must be, bits or'ed.
  enum Proxied : uint8_t {
    expired = 1,
    no_cache = 2,
    no_store = 4,
    private_only = 8,
    no_last_modified = 16,
    no_etag = 32,
    auth = 64,
    any = 128,
  };
  static uint8_t bit_of(std::string_view word);

  bool fits(const ResponseHead& head) const;
  bool has_type(const Headers& headers) const;
  bool admits(const CodingWish& wish, WallTime now, const Headers& headers) const;
  bool admits_control(const Headers& headers) const;

  std::vector<std::string> types_;
  bool any_type_ = false;
  int level_;
  uint64_t min_length_;
  bool vary_;
  uint8_t proxied_ = 0;
};

}  // namespace usher::protocol
