// Reads usher.toml by the table of keys. Every error and warning is FILE:LINE:COL: message and
// points at the offending key or value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conf/settings.h"

namespace usher::conf {

struct ReadSettings {
  Settings settings;
  std::vector<std::string> warnings;
};

// file is only the name for messages. What the text leaves out has its default; listeners,
// upstreams and routes as fill_in() says. The error's detail holds every message, a line each.
Result<ReadSettings> read_toml(std::string_view file, std::string_view text);

}  // namespace usher::conf
