// Which access logs a request's line goes to, and what it says there. Immutable, and the same for
// all snapshots of the same settings.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_file.h"
#include "conf/settings.h"
#include "proxy/access_log.h"
#include "proxy/variables.h"
#include "routing/routes.h"

namespace usher::proxy {

class LogPlan final {
 public:
  // `files` are those of conf::access_logs(settings), in its order; nullptr: off.
  LogPlan(const conf::LogSettings& settings, std::vector<std::shared_ptr<LogFile>> files,
          std::string node);

  // A line of some log is a text with variables, or has a condition.
  bool has_texts() const { return has_texts_; }

  // A line in each log of the route. `route` is nullptr where there was none; `from` may be, unless
  // has_texts(). False: [log]'s own has none, for it is to be counted only.
  bool write(const routing::Route* route, const AccessRecord& record,
             const VariableSource* from) const;

 private:
  friend class KeptLines;

  enum class Escape : uint8_t { standard, json, none };
  struct Destination {
    std::string name;
    std::shared_ptr<LogFile> file;  // nullptr: off
    bool json;                      // and no text
    conf::Template text;
    Escape escape;
    conf::Template when;  // empty: always
  };
  void for_each(const routing::Route* route, const VariableSource* from, const auto& visit) const;
  static std::string escaped(const conf::TemplatePart& part, Escape escape,
                             const VariableSource& from);

  bool counts_only(const AccessRecord& record) const;

  std::vector<Destination> destinations_;
  std::vector<std::string> count_only_;  // of the first destination
  std::string node_;
  bool has_texts_ = false;
};

// The lines of a websocket until it ends, with all filled in that is known when it opens. Of JSON
// in [log]'s own file there is nothing to keep.
class KeptLines final {
 public:
  KeptLines() = default;  // none
  // `from` as for LogPlan::write().
  KeptLines(std::shared_ptr<const LogPlan> plan, const routing::Route& route,
            const VariableSource* from);

  void write(const AccessRecord& record) const;

 private:
  struct Gap {
    uint32_t at;  // in the text
    conf::Variable variable;
  };
  struct Line {
    const LogPlan::Destination* to;
    std::string text;
    std::vector<Gap> gaps;  // what is known at the end only
  };
  struct Details {
    std::vector<Line> lines;
    Progress opened;
  };
  static Line begin(const LogPlan::Destination& to, const VariableSource* from);
  void write(const Line& line, const AccessRecord& record) const;

  std::shared_ptr<const LogPlan> plan_;     // nullptr: no line
  std::unique_ptr<const Details> details_;  // nullptr: JSON in [log]'s own file
};

}  // namespace usher::proxy
