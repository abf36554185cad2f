// The name and the password of HTTP Basic authentication (RFC 7617).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace usher::protocol {

struct BasicCredentials {
  std::string name;  // not empty
  std::string password;
};

// Of an Authorization field; nothing if it is of another scheme, or malformed. A NUL octet, which
// would end a text for crypt(3), is malformed.
std::optional<BasicCredentials> parse_basic_credentials(std::string_view authorization);

// 'Basic realm="…"', with what a quoted-string needs escaped (RFC 9110 section 5.6.4).
std::string make_basic_challenge(std::string_view realm);

}  // namespace usher::protocol
