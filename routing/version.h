// Versions as Open WebUI and semantic versioning write them ("0.11.0", "0.12.0-rc.1"), in their
// order.
#pragma once

#include <compare>
#include <string_view>

namespace usher::routing {

// Numbers compare as numbers, part by part; a missing part is 0; of two that are else alike, one
// with a suffix ("-rc1", "-dev") comes before the one without; suffixes compare as text. What
// follows a "+" does not count. Any text has a place in the order.
std::weak_ordering compare_versions(std::string_view a, std::string_view b);

}  // namespace usher::routing
