#include "conf/problems.h"

#include <algorithm>

namespace usher::conf {
namespace {

constexpr size_t most_lines = 20;

}  // namespace

std::string Problems::place(Position at) const {
  if (at.line == 0) return file_;
  return file_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

std::vector<std::string> Problems::lines(std::vector<Problem> problems) const {
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) { return a.at < b.at; });
  std::vector<std::string> out;
  for (const auto& problem : problems) {
    const std::string line = place(problem.at);
    out.push_back((line.empty() ? line : line + ": ") + problem.text);
  }
  return out;
}

Error Problems::to_error() const {
  const auto all = lines(errors_);
  std::string detail;
  for (size_t i = 0; i < std::min(all.size(), most_lines); ++i) {
    if (i > 0) detail += '\n';
    detail += all[i];
  }
  if (all.size() > most_lines) {
    detail += '\n' + file_ + ": and " + std::to_string(all.size() - most_lines) + " more errors";
  }
  return {Errc::bad_config, Side::usher, std::move(detail)};
}

}  // namespace usher::conf
