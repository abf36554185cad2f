// The settings that a process starts with: flag over environment over file over built-in defaults.
// The file is -c, $USHER_CONFIG, ./usher.toml, /etc/usher/usher.toml, /etc/nginx/nginx.conf if it
// has a proxy_pass, or there is none. One whose name ends in ".conf" is nginx's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "conf/command_line.h"
#include "conf/settings.h"

namespace usher::conf {

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
// A file's whole text; Errc::not_found when there is no such file.
using FileReader = std::function<Result<std::string>(const std::string& path)>;

std::optional<std::string> process_environment(const std::string& name);
Result<std::string> read_file(const std::string& path);

struct Loaded {
  Settings settings;
  std::string source;                 // the file's path, or "built-in defaults"
  std::vector<std::string> warnings;  // FILE:LINE:COL: message
};

// The error's detail holds every message, a line each, without a line feed at the end:
// FILE:LINE:COL: message, or the flag's or variable's name in place of FILE:LINE:COL. To reload,
// call it again.
Result<Loaded> load(const CommandLine& command_line,
                    const Environment& environment = process_environment,
                    const FileReader& files = read_file);

}  // namespace usher::conf
