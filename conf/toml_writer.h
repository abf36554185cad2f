// Settings as a usher.toml that says what differs from the defaults, and nothing else.
#pragma once

#include <string>

#include "conf/settings.h"

namespace usher::conf {

// Read again, it gives the same settings; but for the password in a store's URL, which is left out.
std::string to_toml(const Settings& settings);

}  // namespace usher::conf
