#include "conf/text_rules.h"

#include <algorithm>

#include "conf/words.h"

namespace usher::conf {

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return is_identifier(text, marks);
}

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

const char* file(std::string_view text) { return text.empty() ? "a file's path" : nullptr; }

const char* url_path(std::string_view text) {
  const bool good = text.starts_with('/') && is_visible(text) &&
                    text.find_first_of("?#") == std::string_view::npos;
  return good ? nullptr : R"(a path that begins with "/", without "?" and "#")";
}

const char* header_name(std::string_view text) {
  return is_token(text) ? nullptr : R"(a header's name such as "X-User-Email")";
}

const char* upstream_name(std::string_view text) {
  return is_identifier(text, "-_.") ? nullptr : "a name of letters, digits, \"-\", \"_\" and \".\"";
}

}  // namespace usher::conf
