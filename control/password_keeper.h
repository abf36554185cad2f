// The files of passwords that routes name: read at the start and with each reload, looked at twice
// a second, and read again when they have changed and been left alone for a look. One that cannot
// be read leaves what it said before in its place and is a line in the log.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/files.h"
#include "base/log.h"
#include "base/result.h"
#include "conf/settings.h"
#include "control/file_watch.h"
#include "net/loop.h"
#include "net/timer.h"
#include "proxy/password_file.h"

namespace usher::control {

class PasswordKeeper final {
 public:
  struct Kept {
    FileWatch watch;
    std::shared_ptr<const proxy::PasswordFile> file;
  };
  using Set = std::map<std::string, Kept>;  // by path

  // `changed` follows when a file was read again.
  PasswordKeeper(net::Loop& loop, const Log& log, std::function<void()> changed);

  // Those that the routes name. All or none: an error names the file.
  static Result<Set> load(const conf::Settings& settings, const Files& files = {});
  // From now on these are kept, and read with `files`.
  void use(Set set, Files files = {});
  proxy::PasswordFiles files() const;

  // What the timer does.
  void look();

 private:
  bool look_at(const std::string& path, Kept& kept) const;
  void complain(const std::string& path, const proxy::PasswordFile& file) const;

  const Log& log_;
  std::function<void()> changed_;
  Set set_;
  Files files_;
  net::Timer<&PasswordKeeper::look> look_again_;
};

}  // namespace usher::control
