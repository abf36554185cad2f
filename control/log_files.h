// The logs of the process that are files or standard output, one LogFile for each place. On the
// control thread, which alone destroys them; whoever writes holds its file, so that what began
// under other settings can end its line.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log_file.h"
#include "base/result.h"
#include "conf/settings.h"

namespace usher::control {

class LogFiles final {
 public:
  struct Opened {
    std::vector<std::shared_ptr<LogFile>> access;  // as conf::access_logs(); nullptr: "off"
    std::shared_ptr<LogFile> process;              // nullptr: standard error
  };
  // What is not open yet is opened. An error names the key and the file.
  Result<Opened> open(const conf::LogSettings& settings);
  // Closes what the settings do not name and nobody holds. True: there is nothing left of the kind.
  bool close_others(const conf::LogSettings& settings);
  // After a rotation.
  void reopen();
  // Lines that found no room.
  uint64_t dropped() const;

 private:
  Result<std::shared_ptr<LogFile>> open(const std::string& place, const char* key);

  std::map<std::string, std::shared_ptr<LogFile>> files_;
  std::vector<std::shared_ptr<LogFile>> ending_;
  uint64_t dropped_ = 0;  // by those that are closed
};

}  // namespace usher::control
