#include "conf/toml_values.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace usher::conf {

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.append(1, '\\').append(1, c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\u%04X", static_cast<unsigned>(c));
      out += code.data();
    } else {
      out += c;
    }
  }
  return out + "\"";
}

namespace {

std::string render_headers(const std::vector<HeaderSetting>& headers) {
  std::vector<std::string_view> names;
  std::string line = "{";
  for (const HeaderSetting& header : headers) {
    if (std::find(names.begin(), names.end(), header.name) != names.end()) continue;
    names.push_back(header.name);
    std::vector<Template> values;
    for (const HeaderSetting& each : headers) {
      if (each.name == header.name) values.push_back(each.value);
    }
    std::string list;
    for (const Template& value : values)
      list.append(list.empty() ? "" : ", ").append(toml_text(value.source));
    line.append(line.size() > 1 ? ", " : " ").append(toml_text(header.name)).append(" = ");
    line.append(values.size() > 1 ? "[" + list + "]" : list);
  }
  return line + (headers.empty() ? "}" : " }");
}

std::string render_list(const Kind& kind, const void* list) {
  constexpr size_t longest_line = 80;
  std::string line = "[";
  std::string block = "[\n";
  for (size_t i = 0; i < kind.size(list); ++i) {
    const std::string element = render(*kind.element, kind.at(list, i));
    line += (i > 0 ? ", " : "") + element;
    block += "    " + element + ",\n";
  }
  return line.size() <= longest_line ? line + "]" : block + "]";
}

}  // namespace

std::string render(const Kind& kind, const void* value) {
  if (kind.shape == Kind::Shape::list) return render_list(kind, value);
  if (kind.shape == Kind::Shape::headers)
    return render_headers(*static_cast<const std::vector<HeaderSetting>*>(value));
  const bool bare = kind.form == Kind::Form::flag || kind.form == Kind::Form::number;
  return bare ? kind.text(value) : toml_text(kind.text(value));
}

}  // namespace usher::conf
