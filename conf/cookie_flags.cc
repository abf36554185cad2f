#include "conf/cookie_flags.h"

#include "base/regex.h"
#include "base/strings.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

bool take(std::string_view flag, CookieFlags& flags) {
  const auto [name, policy] = cut(flag, '=');
  if (flag == "secure" || flag == "nosecure") {
    flags.secure = flag == "secure";
  } else if (flag == "httponly" || flag == "nohttponly") {
    flags.http_only = flag == "httponly";
  } else if (flag == "nosamesite") {
    flags.same_site.emplace();
  } else if (name == "samesite" && (policy == "strict" || policy == "lax" || policy == "none")) {
    flags.same_site = *policy;
  } else {
    return false;
  }
  return true;
}

}  // namespace

Result<CookieFlags> parse_cookie_flags(std::string_view text) {
  const auto words = split_list(text, ' ');
  bool good = !words.empty();
  CookieFlags flags;
  if (good) flags.cookie = words.front();
  if (flags.cookie.starts_with('~'))
    good = Regex::compile(std::string_view(flags.cookie).substr(1), true).ok();
  for (size_t i = 1; i < words.size(); ++i)
    good = good && take(words[i], flags);
  if (!good) return unexpected(cookie_flags_form, in_quotes(text));
  return flags;
}

std::string to_string(const CookieFlags& flags) {
  std::string text = flags.cookie;
  if (flags.secure) text += *flags.secure ? " secure" : " nosecure";
  if (flags.http_only) text += *flags.http_only ? " httponly" : " nohttponly";
  if (flags.same_site)
    text += flags.same_site->empty() ? " nosamesite" : " samesite=" + *flags.same_site;
  return text;
}

}  // namespace usher::conf
