// Checks what one key alone cannot say: what belongs together, and what excludes what. checks.cc
// has what is of all settings, checks_routes.cc what is of routes.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/regex.h"
#include "base/strings.h"
#include "conf/places.h"
#include "conf/problems.h"
#include "conf/settings.h"
#include "conf/words.h"

namespace usher::conf {

class Checker final {
 public:
  Checker(const Settings& settings, const Places& places, Problems& problems)
      : settings_(settings), places_(places), problems_(problems) {}

  void run();

 private:
  void listeners();
  void admin(const std::map<std::string, Position>& listeners);
  void trust();
  template <typename Owner>
  void trust(const std::vector<Cidr>& networks, const Owner& owner, const char* key);
  void tls();
  void upstreams();
  void maps();
  void logs();
  void known_listeners(const RouteSettings& route);
  void known_logs(const RouteSettings& route);
  void map_entries(const MapSettings& map);
  unsigned map_chain(const MapSettings& map, unsigned depth);
  template <typename Zone, typename Limit>
  void zones(const std::vector<Zone>& all, const char* header,
             std::vector<Limit> RouteSettings::*limits);
  void routes();
  bool one_action(const RouteSettings& route);
  void path(const RouteSettings& route);
  template <typename Owner, typename Value>
  std::optional<Regex> expression(const Owner& owner, const Value& value, std::string_view pattern,
                                  bool ignoring_case);
  void variables(const RouteSettings& route, const std::vector<Regex>& expressions);
  void rewrites(const std::vector<RewriteSettings>& rules, const std::vector<Regex>& of_route);
  template <typename Owner>
  void known_variables(const Template& value, const Owner& owner,
                       const std::vector<Regex>& expressions);
  void what_needs_an_upstream(const RouteSettings& route);
  void types();
  void files(const RouteSettings& route);
  void tried(const RouteSettings& route);
  static bool is_named(const RouteSettings& route) { return route.match == PathMatch::named; }
  void access(const RouteSettings& route);
  void known_upstream(const RouteSettings& route, const std::vector<std::string_view>& names);
  void store();
  void secret();
  // "; the first is on line 7", when it is in the file.
  static std::string first_one(Position at) {
    return at.line > 0 ? "; the first is on line " + std::to_string(at.line) : std::string();
  }

  // What may not be there twice: of prefixes the words differ, not the place.
  static int kind_of(PathMatch match) {
    if (match == PathMatch::segments || match == PathMatch::prefix_first) match = PathMatch::prefix;
    return static_cast<int>(match);
  }

  const Settings& settings_;
  const Places& places_;
  Problems& problems_;
  std::set<std::string> host_names_;
  std::set<std::string_view> logs_{main_access_log};
  std::map<std::string_view, const MapSettings*> maps_;
  std::map<const MapSettings*, unsigned> map_chains_;  // 0: being followed
};

template <typename Owner, typename Value>
std::optional<Regex> Checker::expression(const Owner& owner, const Value& value,
                                         std::string_view pattern, bool ignoring_case) {
  auto made = Regex::compile(pattern, ignoring_case);
  if (made) return *std::move(made);
  problems_.error(places_.of(value, owner),
                  "the expression " + in_quotes(pattern) + ": " + made.error().detail);
  return std::nullopt;
}

// A variable that is none of usher's must be a map's or a group of one of these expressions.
template <typename Owner>
void Checker::known_variables(const Template& value, const Owner& owner,
                              const std::vector<Regex>& expressions) {
  for (const TemplatePart& part : value.parts) {
    if (part.variable != Variable::group || maps_.contains(part.text)) continue;
    const bool number = is_digit(part.text.front());
    const bool is_group =
        number ? !expressions.empty()
               : std::any_of(expressions.begin(), expressions.end(), [&](const Regex& regex) {
                   return regex.group(part.text).has_value();
                 });
    if (is_group) continue;
    auto names = variable_names();
    for (const auto& [name, map] : maps_)
      names.push_back(name);
    problems_.error(places_.of(value, owner),
                    "unknown variable " + in_quotes("$" + part.text) +
                        (number ? std::string("; only an expression has groups")
                                : did_you_mean(part.text, names)));
  }
}

}  // namespace usher::conf
