// Finds the end of a message head and checks each line of it as soon as it is whole: the gate
// before the tokeniser. Text that arrives in pieces is looked at once, so the cost is linear.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "protocol/framing.h"

namespace usher::protocol {

// A trailer section is a head without a first line.
enum class HeadKind : uint8_t { request, response, trailers };

// A refusal without the cost of an Error's string; code none: all is well.
struct Fault {
  Errc code = Errc::none;
  std::string_view detail;
  explicit operator bool() const { return code != Errc::none; }
};

// A token other than CONNECT and TRACE, which speak to proxies (not_implemented), and the PRI of
// HTTP/2's preface; these in any case of letters, because some servers read methods without regard
// to it. What else a method means is for the replica to know (RFC 9110 section 9.1).
Fault check_method(std::string_view method);
Fault check_request_line(std::string_view line);
Fault check_status_line(std::string_view line);
// "name: value" without its line end. Also for trailer fields.
Fault check_field_line(std::string_view line);

class HeadScanner final {
 public:
  HeadScanner(HeadKind kind, HeadLimits limits) : kind_(kind), limits_(limits) {}

  // text is the head from its first octet, as far as it is known; each call gives what the call
  // before gave and more.
  Fault scan(std::string_view text);
  bool complete() const { return size_ > 0; }
  // Of the whole head with its empty line.
  size_t size() const { return size_; }
  size_t fields() const { return kind_ == HeadKind::trailers ? lines_ : lines_ - 1; }

 private:
  Fault check_line(std::string_view line);

  HeadKind kind_;
  HeadLimits limits_;
  size_t scanned_ = 0;
  size_t line_start_ = 0;
  size_t lines_ = 0;
  size_t size_ = 0;
};

// Collects a head that arrives in pieces. One that lies in the input as a whole is not copied.
class HeadReader final {
 public:
  HeadReader(HeadKind kind, HeadLimits limits)
      : kind_(kind), limits_(limits), scanner_(kind, limits) {}

  // Removes what it used from the front of input. When the head is whole, text() is set and stays
  // valid as long as the input does, until reset().
  Fault next(std::span<const char>& input);
  bool complete() const { return scanner_.complete(); }
  std::string_view text() const { return text_; }
  size_t fields() const { return scanner_.fields(); }
  bool started() const { return !collected_.empty(); }
  // Ready for the next head, with no memory held.
  void reset();

 private:
  HeadKind kind_;
  HeadLimits limits_;
  HeadScanner scanner_;
  std::string collected_;
  std::string_view text_;
};

}  // namespace usher::protocol
