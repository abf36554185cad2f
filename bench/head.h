// The head of an HTTP/1 message, as far as the bench needs it: it trusts the proxies' syntax, and
// whoever uses it fails on an answer that is not the expected one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace usher::bench {

// The length of the head at the beginning of `bytes`, with its empty line; 0 when it is not whole
// yet.
size_t head_length(std::string_view bytes);

// The value of the first field of that name, without regard to case.
std::optional<std::string_view> field(std::string_view head, std::string_view name);

// The value of Content-Length; nothing without one. Fails on one that is not a number.
std::optional<size_t> content_length(std::string_view head);

}  // namespace usher::bench
