// What "usher check" prints when all is well: what would be served, in a few lines for people. No
// password and no secret is in it.
#pragma once

#include <string>

#include "conf/load.h"

namespace usher::conf {

// Several lines; the last ends with a line feed, too.
std::string describe(const Loaded& loaded);

}  // namespace usher::conf
