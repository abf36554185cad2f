#include "control/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>

namespace usher::control {
namespace {

// Connections of one worker, or of the control thread, to a store: one to a server, more to a
// cluster.
constexpr uint64_t for_a_store = 4;
// Names that are resolved, files that are read again, a log that is opened anew, another binary.
constexpr uint64_t spare = 16;

rlimit limits() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = limit.rlim_max = 1024;
  return limit;
}

}  // namespace

DescriptorLimit DescriptorLimit::raise() {
  rlimit limit = limits();
  const uint64_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (before != limit.rlim_max) ::setrlimit(RLIMIT_NOFILE, &limit);
  return {current(), before};
}

uint64_t DescriptorLimit::current() { return std::min<uint64_t>(limits().rlim_cur, UINT32_MAX); }

uint64_t open_descriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator all("/proc/self/fd", error);
  // Without /proc: as many as a small configuration has.
  return error ? 64 : static_cast<uint64_t>(std::distance(begin(all), end(all)));
}

uint64_t DescriptorNeeds::sum() const {
  return at_start + admin + replicas + (shared_store ? (workers + 1) * for_a_store : 0) + spare;
}

}  // namespace usher::control
