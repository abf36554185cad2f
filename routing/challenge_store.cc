#include "routing/challenge_store.h"

#include <algorithm>

#include "base/strings.h"

namespace usher::routing {
namespace {

constexpr size_t longest_token = 128;
constexpr size_t longest_thumbprint = 128;

// RFC 4648 section 5, without padding.
bool is_base64url(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_';
  });
}

}  // namespace

bool is_challenge_token(std::string_view text) {
  return !text.empty() && text.size() <= longest_token && is_base64url(text);
}

bool is_key_authorization(std::string_view token, std::string_view text) {
  const auto [said, thumbprint] = cut(text, '.');
  return said == token && is_challenge_token(token) && thumbprint && !thumbprint->empty() &&
         thumbprint->size() <= longest_thumbprint && is_base64url(*thumbprint);
}

std::string challenge_key(std::string_view token) { return std::string("acme:").append(token); }

}  // namespace usher::routing
