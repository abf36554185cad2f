#include "bench/fail.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace usher::bench {

void fail(const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, why.c_str());
  std::_Exit(1);
}

void fail_errno(const std::string& what) { fail(what + ": " + std::strerror(errno)); }

}  // namespace usher::bench
