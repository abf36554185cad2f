#include "conf/nginx/report.h"

#include <algorithm>

namespace usher::conf::nginx {
namespace {

constexpr size_t most_lines = 20;

}  // namespace

std::string Report::line(const Place& at, const std::string& text) {
  std::string said = at.file ? *at.file : std::string();
  said.append(":").append(std::to_string(at.line));
  said.append(":").append(std::to_string(at.column));
  return said.append(": ").append(text);
}

void Report::accepted(const std::string& name) {
  if (std::find(accepted_.begin(), accepted_.end(), name) == accepted_.end())
    accepted_.push_back(name);
}

Error Report::to_error() const {
  std::string detail;
  for (size_t i = 0; i < std::min(errors_.size(), most_lines); ++i)
    detail.append(i > 0 ? "\n" : "").append(errors_[i]);
  if (errors_.size() > most_lines) {
    detail.append("\nand ").append(std::to_string(errors_.size() - most_lines));
    detail.append(" more errors");
  }
  return {Errc::bad_config, Side::usher, std::move(detail)};
}

std::vector<std::string> Report::warnings(const std::string& file) const {
  std::vector<std::string> all;
  for (const std::string& each : warnings_) {
    if (std::find(all.begin(), all.end(), each) == all.end()) all.push_back(each);
  }
  if (accepted_.empty()) return all;
  std::string names;
  for (const std::string& name : accepted_)
    names.append(names.empty() ? "" : ", ").append(name);
  all.push_back(file + ": without effect here, usher decides these itself: " + names);
  return all;
}

}  // namespace usher::conf::nginx
