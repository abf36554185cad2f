// The processes that have served since the first was started, as that one sees them. Who started it
// (a container, runit, a shell) knows no other, and takes its end for the end of the service: so it
// stays when it has been replaced, passes signals on, and ends with the last of them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"

namespace usher::control {

class Lineage final {
 public:
  Lineage();

  // What a process that serves holds, and what it writes its pid to when it begins. Who serves no
  // more lets go of it.
  int line() const { return line_.get(); }
  static void announce(const Fd& line);
  void let_go() { line_.reset(); }

  // To all that were announced and live.
  void pass_on(int signal);
  // The last one is gone without another that took over.
  bool extinct();

  // From now on signals wait for outlive(). What was caught before is its catcher's to pass on.
  void hold_signals();
  // Returns with the exit code of the last process when it has ended.
  int outlive();

 private:
  void listen();
  void reap();
  int code_of_last() const;

  Fd heard_;
  Fd line_;
  std::string text_;
  std::vector<pid_t> living_;
  pid_t last_ = 0;
  int last_status_ = 0;
  bool extinct_ = false;
};

}  // namespace usher::control
