#include "protocol/headers.h"

#include <algorithm>
#include <cstring>

#include "base/strings.h"

namespace usher::protocol {
namespace {

bool is_named(const Field& field, std::string_view name) {
  return field.name.size() == name.size() && equals_ignoring_case(field.name, name);
}

}  // namespace

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return {};
  char* const place = text.size() <= left_ ? next_ : grow(text.size());
  std::memcpy(place, text.data(), text.size());
  next_ = place + text.size();
  left_ -= text.size();
  return {place, text.size()};
}

char* Arena::grow(size_t size) {
  left_ = std::max(chunk_size, size + slack);
  auto chunk = std::make_unique_for_overwrite<char[]>(left_);
  auto& kept = first_ ? more_.emplace_back(std::move(chunk)) : first_ = std::move(chunk);
  return kept.get();
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const Field& field : fields_) {
    if (is_named(field, name)) return field.value;
  }
  return std::nullopt;
}

size_t Headers::count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(
      fields_.begin(), fields_.end(), [&](const Field& field) { return is_named(field, name); }));
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
  for (const Field& field : fields_) {
    if (is_named(field, name) && list_has_token(field.value, token)) return true;
  }
  return false;
}

void Headers::append(std::string_view name, std::string_view value) {
  const auto kept_name = arena_.copy(name);
  append_kept(kept_name, arena_.copy(value));
}

void Headers::set(std::string_view name, std::string_view value) {
  const auto first = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const Field& field) { return is_named(field, name); });
  if (first == fields_.end()) return append(name, value);

  // The value given may be a view of the field that is replaced.
  const auto kept_name = arena_.copy(name);
  *first = {kept_name, arena_.copy(value), first->rules};
  fields_.erase(std::remove_if(first + 1, fields_.end(),
                               [&](const Field& field) { return is_named(field, kept_name); }),
                fields_.end());
}

void Headers::set_alone(std::string_view name, std::string_view value) {
  remove_if([name](const Field& field) {
    return same_to_cgi(field.name, name) && !equals_ignoring_case(field.name, name);
  });
  set(name, value);
}

void Headers::remove_every(std::string_view name) {
  remove_if([name](const Field& field) { return same_to_cgi(field.name, name); });
}

size_t Headers::remove(std::string_view name) {
  return remove_if([&](const Field& field) { return is_named(field, name); });
}

bool list_has_token(std::string_view list, std::string_view token) {
  return any_element(list, [&](std::string_view element) {
    return element.size() == token.size() && equals_ignoring_case(element, token);
  });
}

}  // namespace usher::protocol
