// What is said about an nginx.conf and the files that it includes: FILE:LINE:COL: message.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace usher::conf::nginx {

struct Place {
  std::shared_ptr<const std::string> file;
  uint32_t line = 0;
  uint32_t column = 0;
};

// FILE:LINE:COL
std::string line_of(const Place& at);

class Report final {
 public:
  explicit Report(bool lenient) : lenient_(lenient) {}

  // nginx would not take it either.
  void error(const Place& at, const std::string& text) { say(errors_, line(at, text)); }
  // It is good nginx, and usher has nothing like it: an error, when lenient a warning.
  void not_served(const Place& at, const std::string& text) {
    say(lenient_ ? warnings_ : errors_, line(at, text));
  }
  void warning(const Place& at, const std::string& text) { say(warnings_, line(at, text)); }
  // Understood, without effect here. Said once, all names of one reason in one line.
  void accepted(const std::string& name, std::string_view why);

  bool any_error() const { return !errors_.empty(); }
  // The first 20, a line each.
  Error to_error() const;
  // The lines of what has no effect come last.
  std::vector<std::string> warnings(const std::string& file) const;

 private:
  // Once: what stands in a block holds for many within it.
  static void say(std::vector<std::string>& lines, std::string line);
  static std::string line(const Place& at, const std::string& text);

  bool lenient_;
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
  struct Accepted {
    std::string_view why;  // of the table
    std::vector<std::string> names;
  };
  std::vector<Accepted> accepted_;
};

}  // namespace usher::conf::nginx
