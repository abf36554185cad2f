// A value as it stands in usher.toml: quotes, lists and inline tables.
#pragma once

#include <string>
#include <string_view>

#include "conf/keys.h"

namespace usher::conf {

// In quotes; control characters escaped.
std::string toml_text(std::string_view text);

// A value, a list or headers. A list has several lines when one would be too long; headers have one
// line, since a table in a table's line may not be longer, and a list for a name that comes
// several times.
std::string render(const Kind& kind, const void* value);

}  // namespace usher::conf
