// How the bench's programs give up: one line to stderr and exit status 1. Nothing is measured half.
#pragma once

#include <string>

namespace usher::bench {

[[noreturn]] void fail(const std::string& why);
// The same, with what errno says.
[[noreturn]] void fail_errno(const std::string& what);

}  // namespace usher::bench
