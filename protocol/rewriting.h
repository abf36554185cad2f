// What a route puts in other words in a replica's response: where redirects lead (Location, RFC
// 9110 section 10.2.2, and Refresh), and the attributes of cookies (RFC 6265 section 4.1). As
// nginx's proxy_redirect, proxy_cookie_domain, proxy_cookie_path and proxy_cookie_flags.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/regex.h"
#include "conf/settings.h"
#include "protocol/headers.h"

namespace usher::protocol {

class Rewriting final {
 public:
  // What an expression has found in the text that is put in other words.
  struct Groups {
    const Regex& expression;
    const std::vector<std::string>& found;
  };
  // Gives a template its values; nullptr: no expression has found anything.
  using Expand = std::function<std::string(const conf::Template&, const Groups*)>;

  Rewriting() = default;
  // An expression that does not compile matches nothing; check() of the settings has refused it.
  explicit Rewriting(const conf::RouteSettings& settings);

  bool empty() const {
    return location_.empty() && domain_.empty() && path_.empty() && flags_.empty();
  }
  // Of each kind the first rule that fits is applied; what fits none stays byte for byte. False: an
  // expression gave up, so that nobody knows what the headers should say.
  [[nodiscard]] bool apply(Headers& headers, const Expand& expand) const;

 private:
  struct Rule {
    std::optional<Regex> expression;  // else `from`
    conf::Template from;
    conf::Template to;
  };
  using Rules = std::vector<Rule>;
  struct Flags {
    std::optional<Regex> expression;
    conf::CookieFlags flags;
  };

  struct Work {
    const Expand& expand;
    bool gave_up = false;
  };

  static Rules compile(const std::vector<conf::RewriteSettings>& settings, bool ignoring_case);
  static std::optional<std::string> by_expression(const Rule& rule, std::string_view text,
                                                  Work& work);
  static std::optional<std::string> beginning(const Rules& rules, std::string_view text,
                                              Work& work);
  static std::optional<std::string> domain(const Rules& rules, std::string_view text, Work& work);
  const conf::CookieFlags* flags_of(std::string_view cookie, Work& work) const;
  std::optional<std::string> refresh(std::string_view value, Work& work) const;
  std::optional<std::string> cookie(std::string_view value, Work& work) const;

  Rules location_;
  Rules domain_;
  Rules path_;
  std::vector<Flags> flags_;
};

}  // namespace usher::protocol
