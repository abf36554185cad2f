#include "protocol/basic_credentials.h"

#include "base/strings.h"

namespace usher::protocol {

std::optional<BasicCredentials> parse_basic_credentials(std::string_view authorization) {
  constexpr std::string_view scheme = "Basic ";
  if (!starts_with_ignoring_case(authorization, scheme)) return std::nullopt;
  const auto decoded = from_base64(trim(authorization.substr(scheme.size())));
  if (!decoded || decoded->find('\0') != std::string::npos) return std::nullopt;
  const auto [name, password] = cut(*decoded, ':');
  if (name.empty() || !password) return std::nullopt;
  return BasicCredentials{std::string(name), std::string(*password)};
}

std::string make_basic_challenge(std::string_view realm) {
  std::string challenge = "Basic realm=\"";
  for (const char c : realm) {
    if (c == '"' || c == '\\') challenge += '\\';
    challenge += c;
  }
  return challenge += '"';
}

}  // namespace usher::protocol
