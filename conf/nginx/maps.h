// nginx's map blocks as maps of usher.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/regex.h"
#include "conf/nginx/report.h"
#include "conf/nginx/syntax.h"
#include "conf/settings.h"

namespace usher::conf::nginx {

class Maps final {
 public:
  Maps(Settings& settings, Report& report) : settings_(settings), report_(report) {}

  // A map block. It becomes a map when something asks for its variable.
  void declare(const Directive& block);
  // After all of them: a text with variables; what it asks for becomes a map, with the maps behind
  // it. Empty, when there is an error; it was told.
  Template read(const std::string& text, const Place& at);

  // Is there such a block?
  bool has(std::string_view name) const { return blocks_.contains(name); }

 private:
  MapSettings convert(const std::string& name, const Directive& block);
  void entry(const Directive& line, std::set<std::string>& texts, MapSettings& map);
  // Without what is not served, which it tells of.
  Template parse(const std::string& text, const Place& at, const Regex* expression = nullptr);

  Settings& settings_;
  Report& report_;
  std::map<std::string, const Directive*, std::less<>> blocks_;
  std::set<std::string, std::less<>> used_;
};

}  // namespace usher::conf::nginx
