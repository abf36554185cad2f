// What of a location is compressed.

#include <algorithm>

#include "base/strings.h"
#include "conf/keys.h"
#include "conf/nginx/locations.h"
#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

bool is_on(const Directive* flag, Report& report) {
  if (!flag || flag->args.front() == "off") return false;
  if (flag->args.front() == "on") return true;
  report.error(flag->at, "invalid value " + in_quotes(flag->args.front()) + " in " +
                             in_quotes(flag->name) + " directive, it must be \"on\" or \"off\"");
  return false;
}

void add_new(std::vector<std::string>& words, std::string word) {
  if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
}

// nginx's text/html is always among them.
std::vector<std::string> types_of(const Scope& scope, Report& report) {
  const Rule& rule = rule_of(&CompressionSettings::types);
  std::vector<std::string> types{"text/html"};
  for (const Directive* directive : scope.all("gzip_types")) {
    for (const std::string& word : directive->args) {
      if (word == "*") return {word};
      std::string type = to_lower(word);
      if (rule.check(type) || type.size() > rule.max) {
        report.warning(directive->at, in_quotes(word) + " is no media type: left out");
      } else {
        add_new(types, std::move(type));
      }
    }
  }
  return types;
}

std::vector<std::string> proxied_of(const Scope& scope, Report& report) {
  const auto known = rule_of(&CompressionSettings::proxied).choices;
  std::vector<std::string> words;
  bool off = false;
  for (const Directive* directive : scope.all("gzip_proxied")) {
    for (const std::string& word : directive->args) {
      off = off || word == "off";
      if (std::find(known.begin(), known.end(), word) != known.end()) {
        add_new(words, word);
      } else if (word != "off") {
        report.error(directive->at, "invalid value " + in_quotes(word));
      }
    }
  }
  return off ? std::vector<std::string>() : words;
}

}  // namespace

void Locations::compression(const Scope& scope, RouteSettings& route) {
  const bool on = is_on(scope.find("gzip"), report_);
  if (!on || !route.redirect.empty()) return;
  CompressionSettings& made = route.compression;
  made.types = types_of(scope, report_);
  made.proxied = proxied_of(scope, report_);
  made.vary = is_on(scope.find("gzip_vary"), report_);
  if (const Directive* level = scope.find("gzip_comp_level")) {
    const Rule& rule = rule_of(&CompressionSettings::level);
    const auto number = parse_decimal<uint32_t>(level->args.front());
    if (!number || *number < rule.min || *number > rule.max)
      return report_.error(level->at, "\"gzip_comp_level\": value must be between 1 and 9");
    made.level = *number;
  }
  if (const Directive* length = scope.find("gzip_min_length")) {
    const auto bytes = parse_size(length->args.front());
    if (!bytes) return report_.error(length->at, "\"gzip_min_length\" directive invalid value");
    made.min_length.bytes = *bytes;
  }
}

}  // namespace usher::conf::nginx
