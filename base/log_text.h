// How long a field of a log may be. Most of what logs say comes from clients: a line must not cost
// more than a request did.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace usher {

// Bytes as they are written, escapes included.
inline constexpr size_t longest_log_field = 2048;

// What stands at the end of a field that was cut: "...[61440 bytes]", with the length of the whole
// text as it came.
std::string cut_note(size_t length);

// As append_json_string(), cut after `most` bytes.
void append_log_string(std::string& line, std::string_view text, size_t most = longest_log_field);

}  // namespace usher
