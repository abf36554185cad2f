// What a location puts in other words in the replica's answers: redirects and cookies.

#include "conf/cookie_flags.h"
#include "conf/nginx/locations.h"
#include "conf/words.h"

namespace usher::conf::nginx {

// "proxy_redirect from to", "proxy_cookie_path from to".
void Locations::rewrite(const Directive& directive, const Names& names,
                        std::vector<RewriteSettings>& rules) {
  if (directive.args.size() != 2) {
    return report_.error(directive.at,
                         "invalid number of arguments in " + in_quotes(directive.name));
  }
  Pattern from{directive.args.front(), {}};
  if (!from.is_expression()) {
    from.text = value(from.source, names, directive.at);
    from.source = from.text.source;
  }
  if (!from.source.empty())
    rules.push_back({std::move(from), value(directive.args.back(), names, directive.at)});
}

// `usual`: what nginx does of itself, where the address of proxy_pass has no variables.
void Locations::redirects(const Directive& pass, const Scope& scope, const Names& names,
                          const std::optional<RewriteSettings>& usual, RouteSettings& route) {
  const bool by_variable = pass.args.front().find('$') != std::string::npos;
  const auto all = scope.all("proxy_redirect");
  if (all.empty() && !by_variable && usual) route.rewrite_location.push_back(*usual);
  for (const Directive* directive : all) {
    const std::string& first = directive->args.front();
    if (directive->args.size() == 1 && first == "off") {
      route.rewrite_location.clear();
      return;
    }
    if (directive->args.size() > 1 || first != "default") {
      rewrite(*directive, names, route.rewrite_location);
    } else if (by_variable) {
      report_.error(directive->at,
                    "\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive with "
                    "variables");
    } else if (usual) {
      route.rewrite_location.push_back(*usual);
    }
  }
}

void Locations::cookies(const Scope& scope, const Names& names, RouteSettings& route) {
  const auto is_off = [](const Directive& directive) {
    return directive.args.size() == 1 && directive.args.front() == "off";
  };
  for (const Directive* directive : scope.all("proxy_cookie_domain")) {
    if (!is_off(*directive)) rewrite(*directive, names, route.rewrite_cookie_domain);
  }
  for (const Directive* directive : scope.all("proxy_cookie_path")) {
    if (!is_off(*directive)) rewrite(*directive, names, route.rewrite_cookie_path);
  }
  for (const Directive* directive : scope.all("proxy_cookie_flags")) {
    if (is_off(*directive)) continue;
    std::string text;
    for (const std::string& word : directive->args)
      text.append(text.empty() ? "" : " ").append(substitute(word, names));
    auto flags = parse_cookie_flags(text);
    if (text.find('$') != std::string::npos && !text.starts_with('~')) {
      report_.not_served(directive->at, "\"proxy_cookie_flags\" with variables is not served");
    } else if (!flags) {
      report_.error(directive->at, "\"proxy_cookie_flags\": " + flags.error().detail);
    } else {
      route.cookie_flags.push_back(*std::move(flags));
    }
  }
}

}  // namespace usher::conf::nginx
