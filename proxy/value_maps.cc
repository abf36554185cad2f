#include "proxy/value_maps.h"

#include <algorithm>

#include "base/strings.h"

namespace usher::proxy {
namespace {

const conf::Template* look_up(const auto& names, std::string_view name) {
  const auto found = names.find(std::string(name));
  return found == names.end() ? nullptr : &found->second;
}

}  // namespace

ValueMap::ValueMap(const conf::MapSettings& settings)
    : source_(settings.source), otherwise_(settings.otherwise), hostnames_(settings.hostnames) {
  for (const conf::MapEntry& entry : settings.entries) {
    std::string_view match = entry.match;
    if (match.starts_with('~')) {
      const bool ignoring_case = match.starts_with("~*");
      auto made = Regex::compile(match.substr(ignoring_case ? 2 : 1), ignoring_case);
      if (made) expressions_.emplace_back(*std::move(made), entry.value);
      continue;
    }
    if (match.starts_with('\\')) match.remove_prefix(1);
    const std::string text = to_lower(match);
    if (hostnames_ && text.starts_with("*.")) {
      suffixes_.emplace(text.substr(2), entry.value);
    } else if (hostnames_ && text.ends_with(".*")) {
      prefixes_.emplace(text.substr(0, text.size() - 2), entry.value);
    } else if (hostnames_ && text.starts_with('.')) {
      texts_.emplace(text.substr(1), entry.value);
      suffixes_.emplace(text.substr(1), entry.value);
    } else {
      texts_.emplace(text, entry.value);
    }
  }
}

const conf::Template* ValueMap::find_text(std::string_view source) const {
  const std::string text = to_lower(source);
  if (const auto* exact = look_up(texts_, text)) return exact;
  if (suffixes_.empty() && prefixes_.empty()) return nullptr;
  const std::string_view host = text;
  for (size_t dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
    const auto* suffix = dot > 0 ? look_up(suffixes_, host.substr(dot + 1)) : nullptr;
    if (suffix) return suffix;
  }
  for (size_t dot = host.rfind('.'); dot != std::string_view::npos && dot > 0;
       dot = host.rfind('.', dot - 1)) {
    const auto* prefix = dot + 1 < host.size() ? look_up(prefixes_, host.substr(0, dot)) : nullptr;
    if (prefix) return prefix;
  }
  return nullptr;
}

ValueMap::Found ValueMap::find(std::string_view source) const {
  if (hostnames_ && source.ends_with('.')) source.remove_suffix(1);
  if (const conf::Template* text = find_text(source)) return {*text};
  if (source.empty()) return {otherwise_};
  for (const auto& [expression, value] : expressions_) {
    const Matched matched = expression.match(source);
    if (matched == Matched::yes) return {value, &expression};
    if (matched == Matched::gave_up) return {otherwise_, nullptr, true};
  }
  return {otherwise_};
}

ValueMaps::ValueMaps(const std::vector<conf::MapSettings>& settings) {
  for (const conf::MapSettings& each : settings)
    maps_.emplace_back(each.name, ValueMap(each));
  std::stable_sort(maps_.begin(), maps_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
}

const ValueMap* ValueMaps::find(std::string_view name) const {
  const auto found = std::lower_bound(
      maps_.begin(), maps_.end(), name,
      [](const auto& each, std::string_view sought) { return each.first < sought; });
  return found != maps_.end() && found->first == name ? &found->second : nullptr;
}

}  // namespace usher::proxy
