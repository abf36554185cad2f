#include "routing/version.h"

#include "base/strings.h"

namespace usher::routing {
namespace {

// The number that text begins with, however long, without its leading zeros; taken off.
std::string_view take_number(std::string_view& text) {
  size_t end = 0;
  while (end < text.size() && is_digit(text[end]))
    ++end;
  std::string_view number = text.substr(0, end);
  text.remove_prefix(end);
  while (number.starts_with('0'))
    number.remove_prefix(1);
  return number;
}

}  // namespace

std::weak_ordering compare_versions(std::string_view a, std::string_view b) {
  a = cut(a, '+').first;
  b = cut(b, '+').first;
  for (std::string_view* text : {&a, &b}) {
    if (text->starts_with('v')) text->remove_prefix(1);
  }
  while (true) {
    const std::string_view left = take_number(a);
    const std::string_view right = take_number(b);
    if (left.size() != right.size()) return left.size() <=> right.size();
    if (left != right) return left <=> right;
    const bool more_left = a.starts_with('.');
    const bool more_right = b.starts_with('.');
    if (!more_left && !more_right) break;
    if (more_left) a.remove_prefix(1);
    if (more_right) b.remove_prefix(1);
  }
  if (a.empty() || b.empty()) return a.empty() <=> b.empty();
  return a <=> b;
}

}  // namespace usher::routing
