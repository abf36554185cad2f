#include "conf/nginx/maps.h"

#include <optional>

#include "base/strings.h"
#include "conf/words.h"

namespace usher::conf::nginx {

void Maps::declare(const Directive& block) {
  const std::string& variable = block.args[1];
  if (!variable.starts_with('$') || variable.size() == 1)
    return report_.error(block.at, "invalid variable name " + in_quotes(variable));
  const std::string name = variable.substr(1);
  if (is_variable(name))
    return report_.error(block.at, "the duplicate " + in_quotes(name) + " variable");
  // Of two maps with one name nginx asks the last.
  blocks_[name] = &block;
}

Template Maps::read(const std::string& text, const Place& at) {
  auto made = parse_template(text);
  if (!made) {
    report_.error(at, "invalid variable name in " + in_quotes(text));
    return {};
  }
  const auto want = [&](const Template& value) {
    for (const TemplatePart& part : value.parts) {
      const auto block = part.variable == Variable::group ? blocks_.find(part.text) : blocks_.end();
      if (block == blocks_.end() || !used_.insert(part.text).second) continue;
      settings_.maps.push_back(convert(block->first, *block->second));
    }
  };
  size_t next = settings_.maps.size();
  want(*made);
  for (; next < settings_.maps.size(); ++next) {
    const MapSettings map = settings_.maps[next];
    want(map.source);
    want(map.otherwise);
    for (const MapEntry& each : map.entries)
      want(each.value);
  }
  return *std::move(made);
}

MapSettings Maps::convert(const std::string& name, const Directive& block) {
  MapSettings map;
  map.name = name;
  map.source = parse(block.args[0], block.at);
  bool has_default = false;
  std::set<std::string> texts;
  for (const Directive& line : block.block) {
    if (line.has_block) {
      report_.error(line.at, "unexpected \"{\"");
    } else if (line.args.empty() && (line.name == "hostnames" || line.name == "volatile")) {
      map.hostnames = map.hostnames || line.name == "hostnames";
    } else if (line.args.size() != 1) {
      report_.error(line.at, "invalid number of the map parameters");
    } else if (line.name == "default") {
      if (has_default) report_.error(line.at, "duplicate default map parameter");
      has_default = true;
      map.otherwise = parse(line.args[0], line.at);
    } else {
      entry(line, texts, map);
    }
  }
  return map;
}

void Maps::entry(const Directive& line, std::set<std::string>& texts, MapSettings& map) {
  MapEntry made;
  made.match = line.name;
  const bool is_expression = made.match.starts_with('~');
  if (made.match.starts_with('\\')) {
    made.match.erase(0, 1);
    const bool special = made.match.starts_with('~') || made.match.starts_with('\\');
    if (special) made.match.insert(0, 1, '\\');
  }
  std::optional<Regex> expression;
  if (is_expression) {
    const bool ignoring_case = made.match.starts_with("~*");
    auto compiled = Regex::compile(made.match.substr(ignoring_case ? 2 : 1), ignoring_case);
    if (!compiled) {
      return report_.error(
          line.at, "the expression " + in_quotes(made.match) + ": " + compiled.error().detail);
    }
    expression = *std::move(compiled);
  } else if (!texts.insert(to_lower(made.match)).second) {
    return report_.error(line.at, "conflicting parameter " + in_quotes(line.name));
  }
  made.value = parse(line.args[0], line.at, expression ? &*expression : nullptr);
  map.entries.push_back(std::move(made));
}

Template Maps::parse(const std::string& text, const Place& at, const Regex* expression) {
  auto made = parse_template(text);
  if (!made) {
    report_.error(at, "invalid variable name in " + in_quotes(text));
    return {};
  }
  for (const TemplatePart& part : made->parts) {
    const bool known =
        part.variable != Variable::group || blocks_.contains(part.text) ||
        (expression && (is_digit(part.text.front()) || expression->group(part.text).has_value()));
    if (known) continue;
    report_.not_served(at, "in a map " + in_quotes("$" + part.text) +
                               " is not known: it has usher's variables, the groups of its own "
                               "expression, and other maps");
    return {};
  }
  return *std::move(made);
}

}  // namespace usher::conf::nginx
