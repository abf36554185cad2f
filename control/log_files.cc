#include "control/log_files.h"

#include <set>
#include <string_view>
#include <utility>

namespace usher::control {

Result<std::shared_ptr<LogFile>> LogFiles::open(const std::string& place, const char* key) {
  if (const auto known = files_.find(place); known != files_.end()) return known->second;
  auto made = LogFile::open(place);
  if (!made) {
    Error error = std::move(made).error();
    error.detail.insert(0, std::string(key) + ": ");
    return error;
  }
  return files_.emplace(place, std::move(*made)).first->second;
}

Result<LogFiles::Opened> LogFiles::open(const conf::LogSettings& settings) {
  Opened opened;
  for (const conf::AccessLogSettings& each : conf::access_logs(settings)) {
    if (each.access == "off") {
      opened.access.emplace_back();
      continue;
    }
    auto file = open(each.access, "log.access");
    if (!file) return std::move(file).error();
    opened.access.push_back(std::move(*file));
  }
  if (settings.process != "stderr") {
    auto file = open(settings.process, "log.process");
    if (!file) return std::move(file).error();
    opened.process = std::move(*file);
  }
  for (const auto& [place, file] : files_)
    file->rotate_at(settings.rotate.bytes, settings.keep);
  return opened;
}

bool LogFiles::close_others(const conf::LogSettings& settings) {
  std::erase_if(ending_, [this](const std::shared_ptr<LogFile>& file) {
    if (file->ended()) dropped_ += file->dropped();
    return file->ended();
  });
  std::set<std::string, std::less<>> named{settings.process};
  for (const conf::AccessLogSettings& each : conf::access_logs(settings))
    named.insert(each.access);
  bool none = true;
  std::erase_if(files_, [&](auto& each) {
    auto& [place, file] = each;
    if (named.contains(place)) return false;
    none = false;
    // Who is the last to hold it is the only one who could lend it out again.
    if (file.use_count() > 1) return false;
    file->end();
    ending_.push_back(std::move(file));
    return true;
  });
  return none && ending_.empty();
}

void LogFiles::reopen() {
  for (const auto& [place, file] : files_)
    file->reopen();
}

uint64_t LogFiles::dropped() const {
  uint64_t sum = dropped_;
  for (const auto& [place, file] : files_)
    sum += file->dropped();
  for (const auto& file : ending_)
    sum += file->dropped();
  return sum;
}

}  // namespace usher::control
