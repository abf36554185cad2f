// RFC 6265: reading one cookie of a request, writing one of a response.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/headers.h"

namespace usher::protocol {

// Every value that the Cookie fields give under that name, in order, without surrounding quotes.
// (A parent domain's cookie of the same name may stand beside ours; which one is genuine is for the
// caller to tell.)
std::vector<std::string_view> cookie_values(std::span<const Field> fields, std::string_view name);

struct CookieScope {
  bool secure = false;  // the client came by https
  bool framed = false;  // also for frames of other sites, where `secure` allows it
};
// "name=value; Path=/; HttpOnly; SameSite=Lax[; Secure]", or with SameSite=None and Partitioned
// (RFC 6265bis, CHIPS).
std::string make_set_cookie(std::string_view name, std::string_view value, CookieScope scope);

}  // namespace usher::protocol
