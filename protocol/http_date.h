// Times as HTTP writes them (RFC 9110 section 5.6.7).
#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace usher::protocol {

// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::time_t time);

// That form, and the two obsolete ones that a recipient must know. Nothing of any other text.
std::optional<std::time_t> parse_http_date(std::string_view text);

}  // namespace usher::protocol
