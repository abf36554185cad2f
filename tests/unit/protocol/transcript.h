// What a parser made of some octets, as text: the same text however the octets were cut into
// pieces.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/http1_parser.h"

namespace usher::protocol {

std::string describe(const RequestHead& head);
std::string describe(const ResponseHead& head);

// "GET /a x ... | data:… | end | error:bad_request". Reads requests until the input is used up or
// broken.
std::string transcript_of_requests(std::span<const std::string_view> pieces,
                                   HeadLimits limits = {});

struct Answered {
  std::string_view method = "GET";
  bool closed = false;  // the replica closes after the last octet
};
// One final response, and whatever octets it leaves over.
std::string transcript_of_response(std::span<const std::string_view> pieces, Answered answered = {},
                                   HeadLimits limits = {});

// Every way of cutting text in two, each octet alone, and the whole. Texts are long enough that
// this is a lot: one call of use() for each.
template <typename Use>
void for_each_cut(std::string_view text, Use use) {
  const std::vector<std::string_view> whole{text};
  use(std::span<const std::string_view>(whole), "whole");
  std::vector<std::string_view> octets;
  for (size_t i = 0; i < text.size(); ++i)
    octets.push_back(text.substr(i, 1));
  use(std::span<const std::string_view>(octets), "octet by octet");
  for (size_t at = 1; at < text.size(); ++at) {
    const std::vector<std::string_view> halves{text.substr(0, at), text.substr(at)};
    use(std::span<const std::string_view>(halves), "cut at " + std::to_string(at));
  }
}

}  // namespace usher::protocol
