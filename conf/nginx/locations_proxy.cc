// What a location does with a replica: where it is, what it is told, how long it may take.

#include <algorithm>

#include "base/strings.h"
#include "conf/keys.h"
#include "conf/nginx/locations.h"
#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

constexpr Millis short_stream = 60s;
constexpr uint64_t small_upload = uint64_t{100} << 20;

// usher sends these by itself, with the same meaning.
bool is_sent_anyway(std::string_view name, std::string_view value) {
  struct Pair {
    std::string_view name;
    std::string_view value;
  };
  constexpr Pair sent[] = {
      {"x-real-ip", "$remote_addr"},        {"x-forwarded-for", "$proxy_add_x_forwarded_for"},
      {"x-forwarded-proto", "$scheme"},     {"x-forwarded-host", "$http_host"},
      {"x-forwarded-port", "$server_port"}, {"host", "$http_host"}};
  return std::any_of(std::begin(sent), std::end(sent), [&](const Pair& pair) {
    return equals_ignoring_case(pair.name, name) && pair.value == value;
  });
}

}  // namespace

void Locations::proxy(const Directive& pass, const Scope& scope, const Names& names,
                      RouteSettings& route) {
  const bool by_variable = pass.args.front().find('$') != std::string::npos;
  std::string url = substitute(pass.args.front(), names);
  const bool tls = url.starts_with("https://");
  if (!tls && !url.starts_with("http://")) {
    return report_.not_served(pass.at, "proxy_pass to " + in_quotes(url) +
                                           " is not served: write http:// or https:// and a host");
  }
  url.erase(0, tls ? 8 : 7);
  size_t end = url.find_first_of("/$");
  if (url.starts_with("unix:")) end = std::min(url.find(':', 5), url.size());
  const std::string host = url.substr(0, end);
  std::string uri = end < url.size() ? url.substr(end) : "";
  if (uri.starts_with(':')) uri.erase(0, 1);
  const bool whole_host = uri.empty() || uri.starts_with('/') || uri.starts_with("$request_uri") ||
                          uri.starts_with("$uri");
  if (host.empty() || !whole_host) {
    return report_.not_served(
        pass.at, "a host that is known only with the request is not served; one upstream for each");
  }
  const bool as_it_came = uri == "$request_uri" || uri == "$uri" || uri == "$uri$is_args$args" ||
                          uri == "$request_uri$is_args$args";
  if (as_it_came) uri.clear();
  if (uri.find_first_of("$?") != std::string::npos) {
    return report_.not_served(
        pass.at,
        "the URI " + in_quotes(uri) + " of proxy_pass is not served; a route has replace_path");
  }
  if (by_variable && !uri.empty()) {
    report_.warning(pass.at,
                    "with a variable, nginx would send every request to " + in_quotes(uri) +
                        "; usher replaces the location's path by it, as without the variable");
  }
  if (!uri.empty() && (is_regex(route) || route.match == PathMatch::named)) {
    return report_.error(pass.at,
                         "\"proxy_pass\" cannot have URI part in location given by regular "
                         "expression, or inside named location");
  }
  if (!uri.empty() && uri != route.path) route.replace_path = uri;
  route.upstream = upstreams_.use(host, tls, pass.at);
  if (by_variable && !upstreams_.declared(host)) upstreams_.resolve(route.upstream, scope);
  if (tls) replica_tls(scope, host, names, pass.at, route.upstream);
  if (const Directive* check = scope.find("health_check")) upstreams_.check(route.upstream, *check);
  Names with_host = names;
  with_host["proxy_host"] = host;
  request_headers(scope, with_host, tls && !upstreams_.declared(host), host, pass.at, route);
  const std::string address = (tls ? "https://" : "http://") + host;
  // What has a "$" in its name cannot be said in a text with variables.
  std::optional<RewriteSettings> usual;
  if (auto to = parse_template(uri.empty() ? "/" : route.path))
    usual = {*parse_pattern(address + (uri.empty() ? "/" : uri)), *std::move(to)};
  redirects(pass, scope, with_host, usual, route);
  cookies(scope, with_host, route);
}

void Locations::replica_tls(const Scope& scope, const std::string& host, const Names& names,
                            const Place& at, const std::string& upstream) {
  ReplicaTls terms;
  const Directive* verify = scope.find("proxy_ssl_verify");
  terms.verify = verify && verify->args.front() == "on";
  if (const Directive* ca = scope.find("proxy_ssl_trusted_certificate"))
    terms.ca = ca->args.front();
  const Directive* asks = scope.find("proxy_ssl_server_name");
  const bool name_matters = terms.verify || (asks && asks->args.front() == "on");
  const Directive* name = scope.find("proxy_ssl_name");
  terms.name = name ? substitute(name->args.front(), names) : "$proxy_host";
  // The host of the address, or the name of the upstream block.
  if (terms.name == "$proxy_host") terms.name = cut(host, ':').first;
  const bool as_addressed = !upstreams_.declared(host) && terms.name == cut(host, ':').first;
  if (as_addressed || !name_matters) terms.name.clear();
  if (terms.name.find('$') != std::string::npos) {
    return report_.not_served(name->at,
                              "a \"proxy_ssl_name\" that is known only with the request is not "
                              "served: an upstream has tls_name");
  }
  if (!terms.verify) {
    report_.warning(
        at,
        "the replica's certificate is not verified, as with nginx: say \"proxy_ssl_verify "
        "on\", and name its authority with proxy_ssl_trusted_certificate");
  }
  upstreams_.verify(upstream, terms, at);
}

void Locations::whole_requests(const Scope& scope) {
  for (const char* name : {"proxy_pass_request_headers", "proxy_pass_request_body"}) {
    const Directive* directive = scope.find(name);
    if (!directive || directive->args.front() == "on") continue;
    report_.not_served(directive->at, in_quotes(name) +
                                          " is served as \"on\" only: an empty value of "
                                          "proxy_set_header keeps one header back");
  }
}

void Locations::request_headers(const Scope& scope, const Names& names, bool direct_tls,
                                const std::string& host, const Place& at, RouteSettings& route) {
  bool has_host = false;
  for (const Directive* directive : scope.all("proxy_set_header")) {
    const std::string& name = directive->args[0];
    const std::string& text = directive->args[1];
    has_host = has_host || equals_ignoring_case(name, "host");
    // usher tells the replica of an upgrade by itself.
    if (header_to_set(name)) continue;
    if (is_sent_anyway(name, text)) continue;
    Template made = value(text, names, directive->at);
    if (const char* wanted = header_value(made.source)) {
      report_.error(directive->at, std::string("expected ") + wanted);
      continue;
    }
    route.set_headers.push_back({name, std::move(made)});
  }
  const bool names_host = !has_host && direct_tls;
  if (names_host) route.set_headers.push_back({"Host", *parse_template(host)});
  sort_by_name(route.set_headers);
  if (!has_host && !direct_tls) {
    report_.warning(at, "no \"proxy_set_header Host\" here: nginx would tell the replica " +
                            in_quotes(host) +
                            "; usher passes on the Host that the client asked for");
  }
}

// How often a request is sent at most.
void Locations::attempts(const Scope& scope, RouteSettings& route) {
  if (const Directive* tries = scope.find("proxy_next_upstream_tries")) {
    const auto number = parse_decimal<uint32_t>(tries->args.front());
    if (!number)
      return report_.error(tries->at, "\"proxy_next_upstream_tries\" directive invalid number");
    const uint64_t most = rule_of(&RouteSettings::attempts).max;
    route.attempts = static_cast<uint32_t>(std::min<uint64_t>(*number, most));
  }
  const Directive* when = scope.find("proxy_next_upstream");
  if (!when) return;
  const auto has = [choices = rule_of(&RouteSettings::retry_on).choices](std::string_view word) {
    return std::find(choices.begin(), choices.end(), word) != choices.end();
  };
  for (const std::string& condition : when->args) {
    const auto status = parse_decimal<uint16_t>(cut(condition, '_').second.value_or(""));
    if (condition == "off") {
      route.attempts = 1;
    } else if (condition == "timeout") {
      route.retry_on.push_back(condition);
    } else if (condition == "invalid_header") {
      route.retry_on.emplace_back("invalid_response");
    } else if (condition == "non_idempotent") {
      report_.accepted("proxy_next_upstream non_idempotent",
                       "what a replica has seen is sent again only if it is safe to do twice");
    } else if (status && condition.starts_with("http_") && has(std::to_string(*status))) {
      route.retry_on.push_back(std::to_string(*status));
    } else if (condition != "error") {
      report_.error(when->at, "invalid value " + in_quotes(condition));
    }
  }
}

void Locations::bounds(const Scope& scope, RouteSettings& route) {
  attempts(scope, route);
  if (const Directive* size = scope.find("client_max_body_size")) {
    const auto bytes = parse_size(size->args.front());
    if (!bytes) report_.error(size->at, "\"client_max_body_size\" directive invalid value");
    route.max_body.bytes = bytes.value_or(0);
    if (route.max_body.bytes > 0 && route.max_body.bytes < small_upload) {
      report_.warning(size->at, "uploads to Open WebUI beyond " + size->args.front() +
                                    " are refused; 0 is no limit");
    }
  }
  const auto time = [&](const char* name) -> std::optional<Millis> {
    const Directive* directive = scope.find(name);
    if (!directive) return std::nullopt;
    const auto parsed = parse_time(directive->args.front());
    if (!parsed) report_.error(directive->at, in_quotes(name) + " directive invalid value");
    return parsed && *parsed > 0ms ? parsed : std::nullopt;
  };
  if (const auto connect = time("proxy_connect_timeout"))
    route.timeouts.connect = std::min<Millis>(*connect, 10min);
  if (const auto send = time("proxy_send_timeout"))
    route.timeouts.send = std::min<Millis>(*send, 7 * 24h);
  const auto read = time("proxy_read_timeout");
  if (!read) return;
  const Millis limit = std::min<Millis>(*read, 7 * 24h);
  route.timeouts.first_byte = route.timeouts.between_bytes = route.timeouts.tunnel_idle = limit;
  if (limit <= short_stream) {
    report_.warning(scope.find("proxy_read_timeout")->at,
                    "a model may think for longer than " + std::to_string(limit.count() / 1000) +
                        " s before its first word: then this ends the answer with 504");
  }
}

}  // namespace usher::conf::nginx
