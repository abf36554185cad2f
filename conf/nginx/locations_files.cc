// What a location says of files.

#include <algorithm>

#include "conf/keys.h"
#include "conf/nginx/locations.h"
#include "conf/words.h"

namespace usher::conf::nginx {

// Without proxy_pass nginx looks for a file.
void Locations::files(const Scope& scope, const Names& names, RouteSettings& route) {
  if (scope.own("stub_status")) {
    route.stub_status = true;
    return;
  }
  route.status = 404;
  if (!file_place(scope, names, route)) return;
  route.status = 0;
  try_files(scope, names, route);
  index(scope, names, route);
  types(scope, route);
  etag(scope, route);
}

// Of root and alias the innermost holds.
bool Locations::file_place(const Scope& scope, const Names& names, RouteSettings& route) {
  const Directive* root = nullptr;
  const Directive* alias = nullptr;
  const Scope* block = &scope;
  for (; block && !root && !alias; block = block->around) {
    root = block->own("root");
    alias = block->own("alias");
    if (alias && block != &scope) {
      report_.not_served(alias->at, "\"alias\" is not served for a location within this one");
      return false;
    }
  }
  const Directive* directive = alias ? alias : root;
  if (!directive) return false;
  std::string text = substitute(directive->args.front(), names);
  if (text.starts_with('$')) {
    report_.not_served(directive->at, in_quotes(directive->name) +
                                          " is not served where a variable is its beginning");
    return false;
  }
  if (!text.starts_with('/')) text.insert(0, folder_);
  if (root && alias) {
    report_.error(alias->at, "\"alias\" directive is duplicate, \"root\" directive was specified");
    return false;
  }
  if (alias && route.match == PathMatch::named) {
    report_.error(alias->at, "the \"alias\" directive cannot be used inside the named location");
    return false;
  }
  (alias ? route.alias : route.root) = value(text, names, directive->at);
  return true;
}

void Locations::try_files(const Scope& scope, const Names& names, RouteSettings& route) {
  const Directive* directive = scope.own("try_files");
  if (!directive) return;
  const Check is_good = rule_of(&RouteSettings::try_files).check;
  const std::string& last = directive->args.back();
  for (const std::string& each : directive->args) {
    const std::string text = substitute(each, names);
    const bool only_last = text.starts_with('=') || text.starts_with('@');
    if (const char* wanted = is_good(text); wanted || (only_last && &each != &last)) {
      return report_.not_served(directive->at,
                                "\"try_files\" has paths that begin with \"/\" or a variable, and "
                                "last such a path, \"=404\" or \"@name\"; " +
                                    in_quotes(text) + " is none");
    }
    route.try_files.push_back(value(text, names, directive->at));
  }
}

void Locations::index(const Scope& scope, const Names& names, RouteSettings& route) {
  const auto directives = scope.all("index");
  if (directives.empty()) return;
  route.index.clear();
  for (const Directive* directive : directives) {
    for (const std::string& each : directive->args) {
      if (each.empty()) return report_.error(directive->at, "index \"\" is invalid");
      route.index.push_back(value(each, names, directive->at));
    }
  }
}

// Locations with the same types share them.
void Locations::types(const Scope& scope, RouteSettings& route) {
  const auto blocks = scope.all("types");
  if (blocks.empty()) return;
  const Check is_good = rule_of(&TypesSettings::entries).check;
  std::vector<std::string> entries;
  for (const Directive* block : blocks) {
    for (const Directive& line : block->block) {
      if (line.args.empty() && !line.has_block) continue;
      std::string entry = line.name;
      for (const std::string& ending : line.args)
        entry.append(" ").append(ending);
      if (line.has_block || is_good(entry))
        return report_.error(line.at, "invalid line " + in_quotes(entry) + " in \"types\"");
      entries.push_back(std::move(entry));
    }
  }
  auto& all = settings_.types;
  auto same = std::find_if(all.begin(), all.end(),
                           [&](const TypesSettings& each) { return each.entries == entries; });
  if (same == all.end()) {
    const std::string number = all.empty() ? "" : "-" + std::to_string(all.size() + 1);
    same = all.insert(all.end(), TypesSettings{"types" + number, std::move(entries)});
  }
  route.types = same->name;
}

void Locations::etag(const Scope& scope, RouteSettings& route) {
  const Directive* directive = scope.find("etag");
  if (!directive) return;
  const std::string& text = directive->args.front();
  if (text != "on" && text != "off") {
    return report_.error(directive->at, "invalid value " + in_quotes(text) +
                                            " in \"etag\" directive, it must be \"on\" or \"off\"");
  }
  route.etag = text == "on";
}

}  // namespace usher::conf::nginx
