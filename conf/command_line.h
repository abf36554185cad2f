// What was typed after "usher", as plain data. Nothing is printed and nothing exits in here.
#pragma once

#include <span>
#include <string>
#include <variant>

#include "conf/overrides.h"

namespace usher::conf {

enum class Command : uint8_t {
  run,
  check,
  version,
  status,
  drain,
  undrain,
  reload,
  rotate_secret,
  acme_token,
  import_nginx
};

struct CommandLine {
  Command command = Command::run;
  std::string config;    // -c; empty: searched for, see conf/load.h
  bool lenient = false;  // what usher does not serve of an nginx.conf is a warning
  Overrides overrides;
  std::string
      admin_url;        // --admin of status, drain, undrain, reload; empty: where the settings say
  bool json = false;    // status --json
  std::string replica;  // drain, undrain
  std::string nginx_file;         // import-nginx
  std::string output;             // import-nginx; empty: standard output
  std::string token;              // acme-token
  std::string key_authorization;  // acme-token; empty with remove
  bool remove = false;            // acme-token --remove
  std::string within;             // drain: how long clients may stay; empty: as the settings say
};

// The process has nothing to run: print the text (to standard output when the code is 0, else to
// standard error) and leave with the code. It ends with a line feed.
struct Exit {
  int code = 0;
  std::string text;
};

// arguments[0] is the program's name.
std::variant<CommandLine, Exit> parse_command_line(std::span<const char* const> arguments);

}  // namespace usher::conf
