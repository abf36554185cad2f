// The settings that a process starts with: flag over environment over file over built-in defaults.
// The file is -c, $USHER_CONFIG, ./usher.toml, /etc/usher/usher.toml, /etc/nginx/nginx.conf if it
// has a proxy_pass, or there is none. One whose name ends in ".conf" is nginx's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "conf/command_line.h"
#include "conf/settings.h"
#include "conf/toml_reader.h"

namespace usher::conf {

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

std::optional<std::string> process_environment(const std::string& name);
// The names of the variables of this process.
std::vector<std::string> process_variables();

struct Loaded {
  Settings settings;
  std::string source;  // the file's path, or "built-in defaults"
  bool from_file = false;
  std::vector<std::string> warnings;  // FILE:LINE:COL: message
  Origins origins;                    // of the files that the settings name
  Files files;                        // reads those, and calls each by where it was named
};

// The error's detail holds every message, a line each, without a line feed at the end:
// FILE:LINE:COL: message, or the flag's or variable's name in place of FILE:LINE:COL. To reload,
// call it again.
Result<Loaded> load(const CommandLine& command_line,
                    const Environment& environment = process_environment, const Files& files = {},
                    const std::vector<std::string>& variables = process_variables());

}  // namespace usher::conf
