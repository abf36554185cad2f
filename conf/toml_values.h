// A value as it stands in usher.toml: quotes, lists and inline tables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "conf/keys.h"
#include "conf/values.h"

namespace usher::conf {

// In quotes; control characters escaped.
std::string toml_text(std::string_view text);

inline std::string render(bool value) { return value ? "true" : "false"; }
inline std::string render(uint16_t value) { return std::to_string(value); }
inline std::string render(uint32_t value) { return std::to_string(value); }
inline std::string render(Millis value) { return toml_text(format_millis(value)); }
inline std::string render(Size value) { return toml_text(format_size(value)); }
inline std::string render(const std::string& value) { return toml_text(value); }
inline std::string render(const Endpoint& value) { return toml_text(to_string(value)); }
inline std::string render(const ReplicaSettings& value) { return toml_text(to_string(value)); }
inline std::string render(const StoreUrl& value) { return toml_text(to_string(value)); }
inline std::string render(const Rate& value) { return toml_text(to_string(value)); }
inline std::string render(const RateLimitSettings& value) { return toml_text(to_string(value)); }
inline std::string render(const ConnectionLimitSettings& value) {
  return toml_text(to_string(value));
}
inline std::string render(const Cidr& value) { return toml_text(to_string(value)); }
inline std::string render(const Pattern& value) { return toml_text(value.source); }
inline std::string render(const CookieFlags& value) { return toml_text(to_string(value)); }
inline std::string render(const Template& value) { return toml_text(value.source); }
std::string render(Enum auto value) { return toml_text(name_of(value)); }

// Of several lines when one would be too long.
template <typename T>
std::string render(const std::vector<T>& values) {
  constexpr size_t longest_line = 80;
  std::string line = "[";
  std::string block = "[\n";
  for (const auto& value : values) {
    line += (line.size() > 1 ? ", " : "") + render(value);
    block += "    " + render(value) + ",\n";
  }
  return line.size() <= longest_line ? line + "]" : block + "]";
}

// One line: a table in a table's line may not be longer. A name that comes several times has a
// list.
std::string render(const std::vector<HeaderSetting>& headers);

template <typename T>
std::string render(const Switched<T>& field, const T& owner) {
  return owner.*field.enabled ? render(owner.*field.address) : toml_text("");
}

}  // namespace usher::conf
