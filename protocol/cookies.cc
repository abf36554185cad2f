#include "protocol/cookies.h"

#include "base/strings.h"

namespace usher::protocol {
namespace {

std::string_view unquote(std::string_view value) {
  const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

}  // namespace

std::vector<std::string_view> cookie_values(std::span<const Field> fields, std::string_view name) {
  std::vector<std::string_view> values;
  for (const Field& field : fields) {
    if (field.name.size() != 6 || !equals_ignoring_case(field.name, "cookie")) continue;
    for (auto rest = std::optional(field.value); rest;) {
      const auto [pair, after] = cut(*rest, ';');
      const auto [cookie_name, value] = cut(pair, '=');
      if (value && trim(cookie_name) == name) values.push_back(unquote(trim(*value)));
      rest = after;
    }
  }
  return values;
}

std::string make_set_cookie(std::string_view name, std::string_view value, CookieScope scope) {
  std::string cookie;
  cookie.reserve(name.size() + value.size() + 72);
  const bool framed = scope.framed && scope.secure;
  cookie.append(name).append("=").append(value).append("; Path=/; HttpOnly; SameSite=");
  cookie.append(framed ? "None" : "Lax");
  if (scope.secure) cookie.append("; Secure");
  if (framed) cookie.append("; Partitioned");
  return cookie;
}

}  // namespace usher::protocol
