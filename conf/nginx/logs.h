// nginx's access_log, log_format and error_log as logs of usher.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "conf/nginx/maps.h"
#include "conf/nginx/report.h"
#include "conf/nginx/scope.h"
#include "conf/settings.h"

namespace usher::conf::nginx {

class Logs final {
 public:
  Logs(Settings& settings, Maps& maps, Report& report)
      : settings_(settings), maps_(maps), report_(report) {}

  // What the http block says is [log]'s own; its formats are for all.
  void declare(const Scope& http);
  // Where the lines of this route go.
  void choose(const Scope& scope, RouteSettings& route);

 private:
  void declare_process_log(const Directive& directive);
  void declare_format(const Directive& directive);
  // Those that hold in the scope; none: they are off.
  std::vector<AccessLogSettings> logs_of(const Scope& scope);
  // Each directive is read once, for all whom it concerns.
  const AccessLogSettings& read(const Directive& directive);
  void read(const Directive& directive, AccessLogSettings& log);
  Template format_of(const std::string& name, const Directive& directive, std::string& escape);
  std::string name_of(const AccessLogSettings& log);

  struct Format {
    std::string text;
    std::string escape;
  };

  Settings& settings_;
  Maps& maps_;
  Report& report_;
  std::map<std::string, Format, std::less<>> formats_;
  std::map<const Directive*, AccessLogSettings> read_;
};

}  // namespace usher::conf::nginx
