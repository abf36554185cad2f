// The Host that a probe asks for: the one that requests get.
#pragma once

#include <string>

#include "conf/settings.h"

namespace usher::control {

// Empty: none is known before a request, and the replica's address has to do.
std::string probe_host(const conf::Settings& settings, const conf::UpstreamSettings& upstream);

}  // namespace usher::control
