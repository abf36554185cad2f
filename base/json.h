// Writing JSON text by hand, where a whole document model would cost more than the line it makes.
// Reading JSON is nlohmann's work, in control/.
#pragma once

#include <string>
#include <string_view>

namespace usher {

// Appends text as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, so that
// the line is valid JSON whatever a client sent.
void append_json_string(std::string& out, std::string_view text);
// What stands between the quotes: as much of the text as becomes `most` bytes. Returns how many
// bytes of the text that was; no character and no escape is cut in two.
size_t append_json_text(std::string& out, std::string_view text, size_t most);

}  // namespace usher
