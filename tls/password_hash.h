// Passwords against what a file of htpasswd keeps of them.
#pragma once

#include <string>
#include <string_view>

namespace usher::tls {

// A longer one matches nothing: some of the functions read no more, or take too long.
inline constexpr size_t longest_password = 511;

// Can a password match it at all? {PLAIN}text, {SHA}base64, {SSHA}base64, $apr1$salt$hash, or
// whatever the system's crypt(3) knows.
bool is_known_hash(const std::string& hash);

// Takes as long as the hash wants it to: up to some 300 ms. Compares in constant time. Any thread.
bool matches(const std::string& hash, std::string_view password);

// Apache's variant of the MD5-based crypt: "$apr1$salt$hash". Of the salt eight characters count.
std::string apr1(std::string_view password, std::string_view salt);

}  // namespace usher::tls
