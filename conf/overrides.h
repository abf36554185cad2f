// What the command line and the environment may say over the file. One row each: flag, environment
// variable, help and what it does to the settings.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "conf/settings.h"

namespace usher::conf {

// As typed. Absent: not given.
struct Overrides {
  std::optional<std::string> listen;
  std::optional<std::string> upstream;
  std::optional<std::string> store;
  std::optional<std::string> store_file;
  std::optional<std::string> tls_chain;
  std::optional<std::string> tls_key;
  std::optional<std::string> workers;
  std::optional<std::string> admin;
  std::optional<std::string> admin_token;
  std::optional<std::string> admin_token_file;
  std::optional<std::string> state;
  std::optional<std::string> user;
  std::optional<std::string> log_access;
  std::optional<std::string> log_process;
};

struct Override {
  std::string_view flag;  // empty: none, since other users of the machine see flags
  std::string_view variable;
  std::string_view value;  // what help calls the argument
  std::optional<std::string> Overrides::*given;
  // The error says what was expected; the caller puts the flag's or the variable's name before it.
  Outcome (*apply)(std::string_view text, Settings& settings);
  std::string_view help;
  // Means nothing without this one.
  std::optional<std::string> Overrides::*needs = nullptr;
  bool is_read = false;  // the path of a file, as Rule has it
};

// In the order in which they are applied.
std::span<const Override> all_overrides();

}  // namespace usher::conf
