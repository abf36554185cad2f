// Reads an nginx.conf, and what it includes, into the Settings that usher.toml makes: there is one
// engine. What usher does not have is an error that names the nearest thing it has.
#pragma once

#include <string>
#include <string_view>

#include "conf/nginx/syntax.h"
#include "conf/toml_reader.h"

namespace usher::conf::nginx {

// Does it pass anything on? What a distribution installs with its nginx does not.
bool is_of_a_proxy(const std::string& path, std::string_view text, const Files& files);

// path is also where relative includes are looked for. lenient: what is not served is a warning. A
// file of servers without an http block, as for conf.d, is read as inside one. The error's detail
// holds every message, a line each.
Result<ReadSettings> read(const std::string& path, std::string_view text, bool lenient,
                          const Files& files);

}  // namespace usher::conf::nginx
