// What becomes of a cookie's attributes, in the words of nginx's proxy_cookie_flags:
// "session secure samesite=lax", "~ nosecure".
#pragma once

#include <string_view>

#include "base/result.h"
#include "conf/settings.h"

namespace usher::conf {

inline constexpr std::string_view cookie_flags_form =
    R"(a cookie's name and what becomes of it, such as "session secure httponly samesite=lax")";

Result<CookieFlags> parse_cookie_flags(std::string_view text);

}  // namespace usher::conf
