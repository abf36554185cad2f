// Reads usher.toml by the table of keys. Every error and warning is FILE:LINE:COL: message and
// points at the offending key or value.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conf/settings.h"

namespace usher::conf {

// Of each file that settings name, and that is read: where it was named first.
using Origins = std::map<std::string, std::string>;

struct ReadSettings {
  Settings settings;
  Origins origins;
  std::vector<std::string> warnings;
};

// file is only the name for messages. What the text leaves out has its default; listeners,
// upstreams and routes as fill_in() says. The error's detail holds every message, a line each.
Result<ReadSettings> read_toml(std::string_view file, std::string_view text);

}  // namespace usher::conf
