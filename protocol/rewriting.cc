#include "protocol/rewriting.h"

#include <algorithm>

#include "base/strings.h"

namespace usher::protocol {
namespace {

// "name=value; Path=/; Secure", taken apart.
struct Attribute {
  std::string name;
  std::optional<std::string> value;
};

std::vector<Attribute> parse_set_cookie(std::string_view text) {
  std::vector<Attribute> attributes;
  while (true) {
    const auto [part, rest] = cut(text, ';');
    const auto [name, value] = cut(part, '=');
    attributes.push_back({std::string(trim(name)), std::nullopt});
    if (value) attributes.back().value = trim(*value);
    if (!rest) return attributes;
    text = *rest;
  }
}

std::string join(const std::vector<Attribute>& attributes) {
  std::string text;
  for (const Attribute& each : attributes) {
    if (!text.empty()) text += "; ";
    text += each.name;
    if (each.value) text.append("=").append(*each.value);
  }
  return text;
}

// Of those behind the first, which is the cookie itself. True: something has changed.
bool set(std::vector<Attribute>& attributes, const char* name, std::optional<std::string> value) {
  const auto found =
      std::find_if(attributes.begin() + 1, attributes.end(),
                   [&](const Attribute& each) { return equals_ignoring_case(each.name, name); });
  if (found == attributes.end()) {
    attributes.push_back({name, std::move(value)});
    return true;
  }
  if (!value || (found->name == name && found->value == value)) return false;
  *found = {name, std::move(value)};
  return true;
}

bool remove(std::vector<Attribute>& attributes, const char* name) {
  const auto gone =
      std::remove_if(attributes.begin() + 1, attributes.end(),
                     [&](const Attribute& each) { return equals_ignoring_case(each.name, name); });
  const bool any = gone != attributes.end();
  attributes.erase(gone, attributes.end());
  return any;
}

bool set_or_remove(std::vector<Attribute>& attributes, const char* name,
                   std::optional<bool> wanted) {
  if (!wanted) return false;
  return *wanted ? set(attributes, name, std::nullopt) : remove(attributes, name);
}

bool apply_flags(std::vector<Attribute>& attributes, const conf::CookieFlags& flags) {
  bool changed = set_or_remove(attributes, "Secure", flags.secure);
  changed |= set_or_remove(attributes, "HttpOnly", flags.http_only);
  if (!flags.same_site) return changed;
  const std::string& policy = *flags.same_site;
  if (policy.empty()) return remove(attributes, "SameSite") || changed;
  const char* spelled = policy == "strict" ? "Strict" : policy == "lax" ? "Lax" : "None";
  return set(attributes, "SameSite", spelled) || changed;
}

std::optional<Regex> compile_expression(std::string_view pattern, bool ignoring_case) {
  auto made = Regex::compile(pattern, ignoring_case);
  return made ? std::optional(*std::move(made)) : std::nullopt;
}

// What stands in a header must not end it.
bool is_one_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace

Rewriting::Rules Rewriting::compile(const std::vector<conf::RewriteSettings>& settings,
                                    bool ignoring_case) {
  Rules rules;
  for (const auto& [from, to] : settings) {
    std::optional<Regex> expression;
    if (from.is_expression()) {
      expression = compile_expression(from.expression(), from.ignores_case() || ignoring_case);
      if (!expression) continue;
    }
    rules.push_back({std::move(expression), from.text, to});
  }
  return rules;
}

Rewriting::Rewriting(const conf::RouteSettings& settings)
    : location_(compile(settings.rewrite_location, false)),
      domain_(compile(settings.rewrite_cookie_domain, true)),
      path_(compile(settings.rewrite_cookie_path, false)) {
  for (const conf::CookieFlags& flags : settings.cookie_flags) {
    std::optional<Regex> expression;
    if (flags.cookie.starts_with('~')) {
      expression = compile_expression(std::string_view(flags.cookie).substr(1), true);
      if (!expression) continue;
    }
    flags_.push_back({std::move(expression), flags});
  }
}

std::optional<std::string> Rewriting::by_expression(const Rule& rule, std::string_view text,
                                                    Work& work) {
  const auto found = rule.expression->groups(text, &work.gave_up);
  if (!found) return std::nullopt;
  const Groups groups{*rule.expression, *found};
  return work.expand(rule.to, &groups);
}

std::optional<std::string> Rewriting::beginning(const Rules& rules, std::string_view text,
                                                Work& work) {
  for (const Rule& rule : rules) {
    if (rule.expression) {
      if (auto made = by_expression(rule, text, work)) return made;
      continue;
    }
    const std::string from = work.expand(rule.from, nullptr);
    if (text.starts_with(from))
      return work.expand(rule.to, nullptr).append(text.substr(from.size()));
  }
  return std::nullopt;
}

// A dot at the beginning means nothing (RFC 6265 section 5.2.3), and stays.
std::optional<std::string> Rewriting::domain(const Rules& rules, std::string_view text,
                                             Work& work) {
  const std::string_view dot = text.substr(0, text.starts_with('.') ? 1 : 0);
  const auto without_dot = [](std::string_view name) {
    return name.substr(name.starts_with('.') ? 1 : 0);
  };
  for (const Rule& rule : rules) {
    if (rule.expression) {
      if (auto made = by_expression(rule, text, work)) return made;
    } else if (equals_ignoring_case(without_dot(work.expand(rule.from, nullptr)),
                                    without_dot(text))) {
      return std::string(dot).append(without_dot(work.expand(rule.to, nullptr)));
    }
  }
  return std::nullopt;
}

// "5; url=http://…"
std::optional<std::string> Rewriting::refresh(std::string_view value, Work& work) const {
  constexpr std::string_view word = "url=";
  for (size_t at = 0; at + word.size() <= value.size(); ++at) {
    if (!equals_ignoring_case(value.substr(at, word.size()), word)) continue;
    const size_t begin = at + word.size();
    auto made = beginning(location_, value.substr(begin), work);
    if (made) made->insert(0, value.substr(0, begin));
    return made;
  }
  return std::nullopt;
}

const conf::CookieFlags* Rewriting::flags_of(std::string_view cookie, Work& work) const {
  for (const Flags& each : flags_) {
    if (!each.expression) {
      if (equals_ignoring_case(each.flags.cookie, cookie)) return &each.flags;
      continue;
    }
    const Matched matched = each.expression->match(cookie);
    if (matched == Matched::yes) return &each.flags;
    work.gave_up |= matched == Matched::gave_up;
  }
  return nullptr;
}

std::optional<std::string> Rewriting::cookie(std::string_view value, Work& work) const {
  std::vector<Attribute> attributes = parse_set_cookie(value);
  bool changed = false;
  for (size_t i = 1; i < attributes.size(); ++i) {
    Attribute& each = attributes[i];
    if (!each.value) continue;
    std::optional<std::string> made;
    if (equals_ignoring_case(each.name, "domain")) made = domain(domain_, *each.value, work);
    if (equals_ignoring_case(each.name, "path")) made = beginning(path_, *each.value, work);
    if (!made) continue;
    each.value = std::move(made);
    changed = true;
  }
  if (const conf::CookieFlags* flags = flags_of(attributes.front().name, work))
    changed |= apply_flags(attributes, *flags);
  if (!changed) return std::nullopt;
  return join(attributes);
}

bool Rewriting::apply(Headers& headers, const Expand& expand) const {
  Work work{expand};
  headers.replace_values([&](const Field& field) -> std::optional<std::string> {
    std::optional<std::string> made;
    if (!location_.empty() && equals_ignoring_case(field.name, "location"))
      made = beginning(location_, field.value, work);
    if (!location_.empty() && equals_ignoring_case(field.name, "refresh"))
      made = refresh(field.value, work);
    const bool cookies = !domain_.empty() || !path_.empty() || !flags_.empty();
    if (cookies && equals_ignoring_case(field.name, "set-cookie")) made = cookie(field.value, work);
    return made && is_one_line(*made) ? made : std::nullopt;
  });
  return !work.gave_up;
}

}  // namespace usher::protocol
