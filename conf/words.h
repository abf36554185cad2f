// The wording that every message of this folder shares.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace usher::conf {

// In double quotes on one line: control characters escaped, cut when long.
std::string in_quotes(std::string_view text);

// "a", "b" or "c"
std::string any_of(std::span<const std::string_view> words);

// expected <expected>, got <got>
Error unexpected(std::string_view expected, std::string_view got);

// The known word that was probably meant: it begins so, or is few edits away, where a swap of
// neighbours counts as one.
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> known);

// `; did you mean "interval"?`, or nothing when no known word is near.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

// Letters, digits and these marks; not empty.
bool is_identifier(std::string_view text, std::string_view marks);

}  // namespace usher::conf
