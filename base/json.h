// Writing JSON text by hand, where a whole document model would cost more than the line it makes.
// Reading JSON is nlohmann's work, in control/.
#pragma once

#include <string>
#include <string_view>

namespace usher {

// Appends text as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, so that
// the line is valid JSON whatever a client sent.
void append_json_string(std::string& out, std::string_view text);

}  // namespace usher
