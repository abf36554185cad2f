// Who may use a location: the networks, names and passwords of a route.

#include <algorithm>

#include "conf/nginx/locations.h"
#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

bool overlap(const Cidr& a, const Cidr& b) {
  if (a.address.size() != b.address.size()) return false;
  const unsigned bits = std::min(a.bits, b.bits);
  for (unsigned bit = 0; bit < bits; ++bit) {
    const unsigned mask = 0x80u >> (bit % 8);
    if (((a.address[bit / 8] ^ b.address[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

}  // namespace

void Locations::access(const Scope& scope, const Names& names, RouteSettings& route) {
  passwords(scope, names, route);
  networks(scope, route);
}

void Locations::passwords(const Scope& scope, const Names& names, RouteSettings& route) {
  const Directive* satisfy = scope.find("satisfy");
  const bool any = satisfy && satisfy->args.front() == "any";
  if (satisfy && !any && satisfy->args.front() != "all")
    report_.error(satisfy->at, "invalid value " + in_quotes(satisfy->args.front()));
  const Directive* realm = scope.find("auth_basic");
  if (!realm || realm->args.front() == "off") return;
  const Directive* file = scope.find("auth_basic_user_file");
  if (!file) {
    return report_.not_served(realm->at,
                              "\"auth_basic\" without \"auth_basic_user_file\", where nginx would "
                              "ask for no password, is not served");
  }
  const std::string& path = file->args.front();
  if (path.empty() || path.find('$') != std::string::npos)
    return report_.not_served(file->at, "passwords are in one file, whose name has no variables");
  route.basic_auth = {value(realm->args.front(), names, realm->at),
                      path.starts_with('/') ? path : folder_ + path};
  route.satisfy = any ? Satisfy::any : Satisfy::all;
  const bool of_pages = route.path == "/" || route.path.starts_with("/api");
  if (of_pages && scope.own("proxy_pass")) {
    report_.warning(realm->at,
                    "Open WebUI's pages send a token of their own in \"Authorization\", and no "
                    "password beside it: what they ask for below /api/ is then refused");
  }
}

// nginx's rules are asked in their order; usher's deny comes before its allow.
void Locations::networks(const Scope& scope, RouteSettings& route) {
  // Who is allowed is asked for no password, and so must stay named.
  const bool spared = route.satisfy == Satisfy::any;
  std::vector<const Directive*> rules;
  for (const Scope* each = &scope; each && rules.empty(); each = each->around) {
    for (const Directive& directive : *each->block) {
      if (directive.name == "allow" || directive.name == "deny") rules.push_back(&directive);
    }
  }
  for (const Directive* rule : rules) {
    const std::string& text = rule->args.front();
    if (text == "all" && rule->name == "allow") {
      if (!spared) break;
      route.allow = parse_networks(text);
      return;
    }
    const auto parsed = parse_networks(text);
    if (parsed.empty()) return report_.error(rule->at, "invalid parameter " + in_quotes(text));
    if (rule->name == "allow") {
      route.allow.insert(route.allow.end(), parsed.begin(), parsed.end());
      continue;
    }
    if (text == "all" && !route.allow.empty()) return;
    for (const Cidr& network : parsed) {
      const bool late = std::any_of(route.allow.begin(), route.allow.end(),
                                    [&](const Cidr& other) { return overlap(network, other); });
      if (late) {
        report_.not_served(
            rule->at, "a \"deny\" within an \"allow\" before it: in usher deny is asked first");
      } else {
        route.deny.push_back(network);
      }
    }
  }
  // Whom nothing denies may use it.
  if (!spared) route.allow.clear();
}

}  // namespace usher::conf::nginx
