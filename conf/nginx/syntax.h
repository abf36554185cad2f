// The syntax of nginx's files: directives with their words and blocks, includes put in their place.
// Nothing here knows what a directive means.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "conf/nginx/report.h"

namespace usher::conf::nginx {

struct Directive {
  std::string name;
  std::vector<std::string> args;
  bool has_block = false;
  std::vector<Directive> block;
  Place at;
};

using usher::Files;

// Relative includes are looked for beside `path`. Nothing, when there was an error; it was told.
std::optional<std::vector<Directive>> parse(const std::string& path, std::string_view text,
                                            const Files& files, Report& report);

}  // namespace usher::conf::nginx
