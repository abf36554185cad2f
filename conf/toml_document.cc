#include "conf/toml_document.h"

#include <string>

namespace usher::conf {
namespace {

constexpr size_t longest_file = size_t{1} << 20;
constexpr size_t most_dots = 1000;

// toml++ says "Error while parsing decimal integer: expected digit, saw 's'".
std::string syntax_error(const toml::parse_error& error) {
  std::string_view text = error.description();
  constexpr std::string_view preface = "Error while parsing ";
  if (!text.starts_with(preface)) return "not TOML: " + std::string(text);
  text.remove_prefix(preface.size());
  if (text.starts_with("string: unescaped control characters")) {
    return "not TOML: in a string: the closing quote is missing, or a control character is in it";
  }
  const bool vowel = std::string_view("aeio").find(text.front()) != std::string_view::npos;
  std::string out = std::string("not TOML: in a") + (vowel ? "n " : " ") + std::string(text);
  const bool bare = text.starts_with("decimal integer: expected digit") ||
                    text.starts_with("value: could not determine value type");
  return bare ? out + R"(; a text, a duration and a size are in quotes: "3s")" : out;
}

// toml++ bounds the nesting of values, not of dotted keys; 20'000 dots overflow the stack. The line
// that has too many, or 0.
uint32_t line_nested_too_deep(std::string_view text) {
  uint32_t line = 1;
  size_t dots = 0;
  char quote = 0;
  bool comment = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') {
      ++line;
      dots = 0;
      quote = 0;
      comment = false;
    } else if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#') {
      comment = true;
    } else if (c == '.' && !comment && ++dots > most_dots) {
      return line;
    }
  }
  return 0;
}

}  // namespace

std::optional<toml::table> parse_document(std::string_view text, Problems& problems) {
  if (text.size() > longest_file) {
    problems.error({}, "larger than 1MiB: this is not a file of settings");
    return std::nullopt;
  }
  if (const uint32_t line = line_nested_too_deep(text)) {
    problems.error({line, 1}, "not TOML: no key is nested so deep");
    return std::nullopt;
  }
  toml::parse_result parsed = toml::parse(text);
  if (parsed) return std::move(parsed).table();
  problems.error(position_of(parsed.error().source()), syntax_error(parsed.error()));
  return std::nullopt;
}

}  // namespace usher::conf
