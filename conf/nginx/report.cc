#include "conf/nginx/report.h"

#include <algorithm>

namespace usher::conf::nginx {
namespace {

constexpr size_t most_lines = 20;

}  // namespace

void Report::say(std::vector<std::string>& lines, std::string line) {
  if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(std::move(line));
}

std::string line_of(const Place& at) {
  std::string said = at.file ? *at.file : std::string();
  said.append(":").append(std::to_string(at.line));
  return said.append(":").append(std::to_string(at.column));
}

std::string Report::line(const Place& at, const std::string& text) {
  return line_of(at) + ": " + text;
}

void Report::accepted(const std::string& name, std::string_view why) {
  auto reason = std::find_if(accepted_.begin(), accepted_.end(),
                             [why](const Accepted& each) { return each.why == why; });
  if (reason == accepted_.end()) reason = accepted_.insert(reason, {why, {}});
  if (std::find(reason->names.begin(), reason->names.end(), name) == reason->names.end())
    reason->names.push_back(name);
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
  std::vector<std::string> all = warnings_;
  for (const Accepted& reason : accepted_) {
    std::string names;
    for (const std::string& name : reason.names)
      names.append(names.empty() ? "" : ", ").append(name);
    all.push_back(file + ": without effect here: " + names + ": " + std::string(reason.why));
  }
  return all;
}

}  // namespace usher::conf::nginx
