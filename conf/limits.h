// Limits as people write them, in usher.toml as in nginx: rates, and what a route takes of a zone.
#pragma once

#include <string_view>

#include "base/result.h"
#include "conf/settings.h"

namespace usher::conf {

// "10r/s" or "30r/m".
Result<Rate> parse_rate(std::string_view text);
// "zone", "zone burst=20", "zone burst=20 delay=8" or "zone burst=20 nodelay".
Result<RateLimitSettings> parse_rate_limit(std::string_view text);
// "zone 10".
Result<ConnectionLimitSettings> parse_connection_limit(std::string_view text);

}  // namespace usher::conf
