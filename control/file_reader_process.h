// The process that stays root for a FileReader.
#pragma once

#include "base/fd.h"
#include "conf/command_line.h"
#include "control/account.h"

namespace usher::control {

// In a forked process: answers at `line` until nobody is left to ask, and ends the process.
[[noreturn]] void run_file_reader(Fd line, const conf::CommandLine& command_line,
                                  const Account& account);

}  // namespace usher::control
