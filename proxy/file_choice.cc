#include "proxy/file_choice.h"

#include <utility>

#include "base/strings.h"

namespace usher::proxy {
namespace {

using conf::RouteSettings;
using conf::Template;
using Kind = FileChoice::Kind;

FileChoice answer(uint16_t status) { return {.status = status}; }

FileChoice go_on_at(std::string path, std::optional<std::string> query) {
  return {.kind = Kind::elsewhere, .path = std::move(path), .query = std::move(query)};
}

FileChoice refuse(Found::Kind kind) {
  switch (kind) {
    case Found::Kind::forbidden: return answer(403);
    case Found::Kind::broken: return answer(500);
    default: return answer(404);
  }
}

// A path that ends in "/".
FileChoice choose_index(const RouteSettings& rules, const FilePlace& place, const std::string& path,
                        const FileView& view) {
  for (const Template& index : rules.index) {
    const std::string name = view.expand(index);
    if (name.starts_with('/')) return go_on_at(name, std::nullopt);
    const Found found = view.look(place.below(path) + name);
    if (found.kind == Found::Kind::file) return go_on_at(path + name, std::nullopt);
    if (found.kind != Found::Kind::nothing && found.kind != Found::Kind::folder)
      return refuse(found.kind);
  }
  const Found folder = view.look(place.below(path));
  return folder.kind == Found::Kind::folder ? answer(403) : refuse(folder.kind);
}

FileChoice choose_plainly(const RouteSettings& rules, const FilePlace& place,
                          const std::string& path, const FileView& view) {
  if (view.refuses) return answer(405);
  if (path.ends_with('/')) return choose_index(rules, place, path, view);
  Found found = view.look(place.below(path));
  switch (found.kind) {
    case Found::Kind::file:
      return {.kind = Kind::file, .path = path, .file = std::move(found.file)};
    case Found::Kind::folder: return {.kind = Kind::folder, .path = path + "/"};
    default: return refuse(found.kind);
  }
}

// The last of try_files.
FileChoice give_up(const Template& last, const FileView& view) {
  if (last.source.starts_with('='))
    return answer(parse_decimal<uint16_t>(std::string_view(last.source).substr(1)).value_or(404));
  if (last.source.starts_with('@')) return {.kind = Kind::named, .path = last.source};
  const std::string text = view.expand(last);
  const auto [path, query] = cut(text, '?');
  return go_on_at(std::string(path), std::string(query.value_or("")));
}

}  // namespace

// The folder is what stands before the first variable; of an alias without any, what stands before
// its last name.
FilePlace::FilePlace(const RouteSettings& rules,
                     const std::function<std::string(const Template&)>& expand)
    : rules_(rules),
      is_alias_(!rules.alias.empty()),
      is_whole_(rules.match == conf::PathMatch::regex ||
                rules.match == conf::PathMatch::regex_ignoring_case) {
  const Template& text = is_alias_ ? rules.alias : rules.root;
  const std::string_view fixed = std::string_view(text.source).substr(0, text.source.find('$'));
  const bool whole = !is_alias_ && text.is_text();
  folder_ = whole ? fixed : fixed.substr(0, fixed.rfind('/') + 1);
  rest_ = whole ? "" : "/" + expand(text).substr(folder_.size());
}

std::string FilePlace::below(const std::string& path) const {
  if (!is_alias_) return rest_ + path;
  return is_whole_ ? rest_ : rest_ + path.substr(std::min(path.size(), rules_.path.size()));
}

std::string FilePlace::path_of(const std::string& text, bool has_variables) const {
  if (!is_alias_ || is_whole_) return text;
  return has_variables && text.starts_with(rules_.path) ? text : rules_.path + text;
}

FileChoice choose_file(const RouteSettings& rules, const FilePlace& place, const std::string& path,
                       const FileView& view) {
  if (rules.try_files.empty()) return choose_plainly(rules, place, path, view);
  const Template& last = rules.try_files.back();
  for (const Template& each : rules.try_files) {
    if (&each == &last) break;
    std::string text = view.expand(each);
    const bool folder = each.source.ends_with('/');
    if (folder && text.size() > 1) text.pop_back();
    const std::string tried = place.path_of(text, !each.is_text());
    Found found = view.look(place.below(tried));
    if (!folder && found.kind == Found::Kind::file) {
      if (view.refuses) return answer(405);
      return {.kind = Kind::file, .path = tried, .file = std::move(found.file)};
    }
    if (folder && found.kind == Found::Kind::folder)
      return choose_plainly(rules, place, tried, view);
  }
  return give_up(last, view);
}

}  // namespace usher::proxy
