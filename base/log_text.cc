#include "base/log_text.h"

#include "base/json.h"

namespace usher {

std::string cut_note(size_t length) { return "...[" + std::to_string(length) + " bytes]"; }

void append_log_string(std::string& line, std::string_view text, size_t most) {
  line += '"';
  const size_t taken = append_json_text(line, text, most);
  if (taken < text.size()) line += cut_note(text.size());
  line += '"';
}

}  // namespace usher
