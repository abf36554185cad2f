// What is wrong or doubtful in one file: collected in any order, told in the order of the lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace usher::conf {

struct Position {
  uint32_t line = 0;  // 0: nowhere in the file
  uint32_t column = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};

class Problems final {
 public:
  explicit Problems(std::string_view file) : file_(file) {}

  void error(Position at, std::string text) { errors_.push_back({at, std::move(text)}); }
  void warning(Position at, std::string text) { warnings_.push_back({at, std::move(text)}); }

  bool any_error() const { return !errors_.empty(); }
  // Every error, a line each; the first 20 of them when there are more.
  Error to_error() const;
  std::vector<std::string> warnings() const { return lines(warnings_); }
  // FILE:LINE:COL
  std::string place(Position at) const;

 private:
  struct Problem {
    Position at;
    std::string text;
  };
  std::vector<std::string> lines(std::vector<Problem> problems) const;

  std::string file_;  // empty: there is none
  std::vector<Problem> errors_;
  std::vector<Problem> warnings_;
};

}  // namespace usher::conf
