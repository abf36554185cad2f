// The documents that are made from the table of keys, so that they cannot disagree with it.
#pragma once

#include <string>

namespace usher::conf {

// usher.toml: every key with its help, its bounds and its default. Read back, it gives
// built_in_settings().
std::string reference_toml();

// docs/settings.md: the same as tables, and the flags and variables.
std::string reference_markdown();

}  // namespace usher::conf
