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

// "name=value; Path=/; HttpOnly; SameSite=Lax[; Secure]"
std::string make_set_cookie(std::string_view name, std::string_view value, bool secure);

}  // namespace usher::protocol
