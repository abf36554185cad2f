// A request's path as routes compare it, and back to what stands in a request line.
#pragma once

#include <string>
#include <string_view>

namespace usher::protocol {

// Whether normalise_path() would change anything; quick.
bool needs_normalising(std::string_view path);

// Percent-encoded octets decoded once, "//" merged, "." and ".." resolved (RFC 3986 section 5.2.4),
// as servers behind may read it. ".." above the root stays at the root; what is no encoding stays
// as it is. Begins with "/".
std::string normalise_path(std::string_view path);

// The path of a request's target ("/a/../b?c" has "/b"), normalised; "/" of one that has none.
std::string path_of_target(std::string_view target);

// Whether it can be read in one way only: no ".." leads above the root, each "%" has two
// hexadecimal digits behind it, and none of them is a NUL. What is not is a 400 for nginx.
bool is_strict(std::string_view path);

// Percent-encodes what a request line cannot hold, and what nginx does: % ? # " < > \ ^ ` { | }.
std::string escape_path(std::string_view path);
// The same of a query, in which "%" and "?" stay: what is encoded in it already is not encoded
// again.
std::string escape_query(std::string_view query);

}  // namespace usher::protocol
