// What a text may be where several tables of keys have it: nullptr, or what was expected (Check).
#pragma once

#include <string_view>

namespace usher::conf {

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text);
// No spaces and no control characters, ASCII alone.
bool is_visible(std::string_view text);

const char* file(std::string_view text);
const char* url_path(std::string_view text);
const char* header_name(std::string_view text);
const char* upstream_name(std::string_view text);

}  // namespace usher::conf
