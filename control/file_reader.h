// Files for a process that has given up root's rights: a small process that stays root opens them
// for it. It opens what the settings name, which it reads itself, and nothing else; it hears no
// client. See docs/decisions/0018-a-reader-stays-root.md.
//
// What the process may read by itself it does read by itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/files.h"
#include "base/result.h"
#include "conf/command_line.h"
#include "control/account.h"

namespace usher::control {

class FileReader final {
 public:
  // Starts the process that stays root; it ends with the last that can ask it. Before any thread is
  // started, and before this process becomes `account`.
  static Result<std::unique_ptr<FileReader>> start(const conf::CommandLine& command_line,
                                                   const Account& account);
  // The line to one that runs already.
  explicit FileReader(Fd line) : line_(std::move(line)) {}

  // For one thread; the reader outlives them.
  Files files();
  // Another line to the same process, for a successor. Not valid: it has ended.
  Fd another_line();

 private:
  struct Answer {
    Fd fd;
    int error = 0;
    std::string why;
    std::vector<std::string> names;
  };

  Answer ask(char wish, std::string_view path);
  Result<std::string> read(const std::string& path);
  FileMark mark(const std::string& path);

  Fd line_;  // not valid: the process at its other end has ended, or does not answer
  uint32_t last_id_ = 0;
};

}  // namespace usher::control
