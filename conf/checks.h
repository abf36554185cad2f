// What one value alone cannot show: duplicates, references to nothing, choices that exclude each
// other.
#pragma once

#include "conf/places.h"
#include "conf/problems.h"
#include "conf/settings.h"

namespace usher::conf {

void check(const Settings& settings, const Places& places, Problems& problems);

}  // namespace usher::conf
