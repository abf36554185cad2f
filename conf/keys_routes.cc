#include "conf/keys.h"

#include <algorithm>

#include "base/strings.h"
#include "conf/text_rules.h"
#include "conf/units.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

using namespace units;

const char* path_or_nothing(std::string_view text) {
  return text.empty() ? nullptr : url_path(text);
}

const char* folder_or_nothing(std::string_view text) {
  const bool good = text.empty() || (text.starts_with('/') && text.find('\0') == text.npos);
  return good ? nullptr : "a folder's absolute path";
}

const char* tried_file(std::string_view text) {
  const auto status = text.starts_with('=') ? parse_decimal<uint16_t>(text.substr(1)) : 0;
  const bool is_status = status && *status >= 200 && *status <= 599;
  const bool is_path = text.starts_with('/') || text.starts_with('$') || text.starts_with('@');
  return is_path || is_status ? nullptr : R"(a path such as "$uri", "=404" or "@name")";
}

const char* index_file(std::string_view text) { return text.empty() ? "a file's name" : nullptr; }

const char* realm(std::string_view text) {
  return text.empty() ? R"(a name such as "Staff")" : header_value(text);
}

const char* media_type(std::string_view text) {
  const auto [type, subtype] = cut(text, '/');
  const auto is_lower = [](char c) { return c == to_lower(c); };
  const bool good = text == "*" || (is_token(type) && subtype && is_token(*subtype) &&
                                    std::all_of(text.begin(), text.end(), is_lower));
  return good ? nullptr : R"("*", or a media type in lower case such as "application/json")";
}

const char* zone_name(std::string_view text) {
  return !text.empty() && is_visible(text) ? nullptr : "a name without spaces";
}

const char* something(std::string_view text) { return text.empty() ? "a text" : nullptr; }

const char* zone_key(std::string_view text) {
  return text.empty() ? R"(variables such as "$remote_addr")" : nullptr;
}

const char* host_pattern(std::string_view text) {
  if (text == "*" || text.starts_with('~')) return nullptr;  // check() reads the expression
  if (text.starts_with("*.")) {
    text.remove_prefix(2);
  } else if (text.ends_with(".*")) {
    text.remove_suffix(2);
  }
  const bool good = is_identifier(text, "-_.:[]") && text.find("..") == std::string_view::npos &&
                    !text.starts_with('.');
  const bool port = !text.starts_with('[') && text.find(':') != std::string_view::npos;
  return good && !port
             ? nullptr
             : R"("*", a host such as "chat.example.org" without a port, "*.example.org", or "~" and a regular expression)";
}

const char* redirect_target(std::string_view text) {
  const bool good = text.starts_with("https://") || text.starts_with("http://") ||
                    text.starts_with('/') || text.starts_with('$');
  return good && is_visible(text) ? nullptr : R"(a URL such as "https://chat.example.org/")";
}

constexpr std::string_view proxied_words[] = {"any",      "auth",    "expired",          "no-cache",
                                              "no-store", "private", "no_last_modified", "no_etag"};

constexpr Named<PathMatch> path_match_names[] = {
    {"segments", PathMatch::segments},
    {"prefix", PathMatch::prefix},
    {"prefix_first", PathMatch::prefix_first},
    {"exact", PathMatch::exact},
    {"regex", PathMatch::regex},
    {"regex_ignoring_case", PathMatch::regex_ignoring_case},
    {"named", PathMatch::named},
};
constexpr Named<OddHeaders> odd_headers_names[] = {
    {"pass", OddHeaders::pass},
    {"underscores", OddHeaders::underscores},
    {"drop", OddHeaders::drop},
};
constexpr Named<Satisfy> satisfy_names[] = {
    {"all", Satisfy::all},
    {"any", Satisfy::any},
};

constexpr std::string_view retry_causes[] = {
    "timeout", "invalid_response", "403", "404", "429", "500", "502", "503", "504"};

// clang-format off
const Key rate_zone_keys[] = {
    {"name", &RateZoneSettings::name,
     {.max = 64, .check = zone_name, .required = true, .example = "\"per_address\""},
     "What routes, logs and metrics call it."},
    {"key", &RateZoneSettings::key, {.check = zone_key},
     "What is counted apart, in variables of the request, such as \"$remote_addr\" or "
     "\"$host$cookie_token\". A request for which it is empty is not counted."},
    {"rate", &RateZoneSettings::rate, {.required = true, .example = "\"10r/s\""},
     "Requests a second (\"10r/s\") or a minute (\"30r/m\")."},
    {"size", &RateZoneSettings::size, {32 * kib, gib},
     "How much memory it may take: 1 MiB is enough for some 7000 addresses. When it is full, the "
     "keys that were silent for the longest are forgotten."},
};

const Key connection_zone_keys[] = {
    {"name", &ConnectionZoneSettings::name,
     {.max = 64, .check = zone_name, .required = true, .example = "\"per_address\""},
     "What routes, logs and metrics call it."},
    {"key", &ConnectionZoneSettings::key, {.check = zone_key},
     "What is counted apart, in variables of the request. A request for which it is empty is not "
     "counted."},
    {"size", &ConnectionZoneSettings::size, {32 * kib, gib},
     "How much memory it may take. When it is full, requests of other keys are refused."},
};

const Key basic_auth_keys[] = {
    {"realm", &BasicAuthSettings::realm, {.check = realm, .example = "\"Staff\""},
     "What the browser calls that for which it asks; with variables. Where it comes to \"off\", no "
     "password is asked for."},
    {"file", &BasicAuthSettings::file,
     {.check = file, .example = "\"/etc/usher/htpasswd\"", .is_read = true},
     "Lines \"name:hash\" or \"name:hash:comment\", as htpasswd writes them: bcrypt, yescrypt, "
     "sha512-crypt and what else crypt(3) knows, apr1, {SSHA}, {SHA}, {PLAIN}. It is read again "
     "when it has changed."},
};

const Key compression_keys[] = {
    {"types", &CompressionSettings::types,
     {.max = 127, .check = media_type, .example = "[\"text/html\", \"application/json\"]"},
     "Which bodies, by their Content-Type without its parameters; \"*\": all. What has a "
     "Content-Encoding passes as it is, text/event-stream always. Empty: none."},
    {"level", &CompressionSettings::level, {1, 9},
     "From 1, the fastest, to 9, the smallest."},
    {"min_length", &CompressionSettings::min_length, {},
     "A body that is known to be shorter passes as it is."},
    {"vary", &CompressionSettings::vary, {},
     "Tell caches that the response depends on Accept-Encoding."},
    {"proxied", &CompressionSettings::proxied, {.choices = proxied_words},
     "What a request that came through a proxy (it has Via) is given compressed: \"any\" response, "
     "or those that one of the other words, with the meaning of nginx's gzip_proxied, is for. Empty: "
     "none."},
};

const Key route_timeout_keys[] = {
    {"connect", &RouteTimeouts::connect, {.min = 1, .max = 10 * minute, .example = "\"1s\""},
     "To connect to a replica."},
    {"send", &RouteTimeouts::send, {.min = 1, .max = 7 * day, .example = "\"1m\""},
     "A replica that takes nothing of a request for so long is given up."},
    {"first_byte", &RouteTimeouts::first_byte, {.min = 1, .max = 7 * day, .example = "\"5s\""},
     "From the end of a request to the first byte of its response."},
    {"between_bytes", &RouteTimeouts::between_bytes,
     {.min = 1, .max = 7 * day, .example = "\"10s\""},
     "Between two pieces of a response."},
    {"tunnel_idle", &RouteTimeouts::tunnel_idle,
     {.min = 1, .max = 7 * day, .example = "\"10m\""},
     "A websocket that is silent in both directions for so long is closed."},
};

const Key trust_keys[] = {
    {"trusted", &TrustSettings::trusted, {.example = "[\"10.0.0.0/8\"]"},
     "As in [forwarded]: the proxies that are believed here."},
    {"nobody", &TrustSettings::nobody, {},
     "No proxy is believed here, whatever [forwarded] says."},
    {"client_header", &TrustSettings::client_header, {.check = header_name},
     "As in [forwarded], of these proxies."},
    {"recursive", &TrustSettings::recursive, {},
     "As in [forwarded], of these proxies."},
};

const Key route_keys[] = {
    {"host", &RouteSettings::host, {.max = 253, .check = host_pattern},
     "\"chat.example.org\", \"*.example.org\", \"chat.*\", \"~\" and a regular expression, or \"*\" "
     "for any. The most specific host wins, in this order."},
    {"hosts", &RouteSettings::hosts, {.max = 253, .check = host_pattern},
     "Several of them, in the place of host."},
    {"ports", &RouteSettings::ports, {.min = 1},
     "Only for requests that come in on these ports. Empty: on any."},
    {"listen", &RouteSettings::listen, {.example = "[\"127.0.0.1:8080\"]"},
     "Only for requests that come in at these listeners, by their address as it stands in "
     "[[listen]]. Empty: at any."},
    {"path", &RouteSettings::path, {.max = 4096},
     "The path's beginning. Among the routes of a host the longest wins. It is compared with the "
     "request's path decoded, without \"//\", \".\" and \"..\"."},
    {"match", &RouteSettings::match, {},
     "How path is compared: segments (\"/api\" serves \"/api/x\", not \"/apix\"), prefix (as it is "
     "written), exact, or as a regular expression (PCRE). As in nginx's locations: exact first; then "
     "the longest prefix if it is prefix_first; then the regular expressions in their order; then "
     "the longest prefix. A named route is for no path: the try_files of others lead to its \"@name\"."},
    {"upstream", &RouteSettings::upstream, {.check = upstream_name},
     "The upstream's name. A route has one of upstream, redirect, status, root, alias and "
     "stub_status."},
    {"redirect", &RouteSettings::redirect,
     {.check = redirect_target, .example = "\"https://chat.example.org/\""},
     "Answer with a redirect to this URL. Variables have nginx's names: "
     "\"https://$host$request_uri\"."},
    {"redirect_status", &RouteSettings::redirect_status, {.min = 301, .max = 308},
     "The status of the redirect."},
    {"status", &RouteSettings::status, {.min = 200, .max = 599, .example = "404"},
     "Answer with this status. 444 closes the connection without an answer."},
    {"body", &RouteSettings::body, {},
     "What is answered with that status; with nginx's variables. Empty: a page, or JSON."},
    {"content_type", &RouteSettings::content_type, {},
     "What the body is, or a file whose ending does not tell."},
    {"root", &RouteSettings::root, {.check = folder_or_nothing, .example = "\"/var/www/acme\""},
     "Answer GET and HEAD with the files of this folder, found by the request's whole path, as "
     "nginx's root does. A folder that is asked for without its / is a redirect to the one with it. "
     "Symbolic links are followed when they are relative and stay below root; nothing whose name "
     "begins with a dot is found, but .well-known. With variables: links stay below the part before "
     "the first of them."},
    {"alias", &RouteSettings::alias, {.check = folder_or_nothing, .example = "\"/srv/images/\""},
     "The same, but this stands in the place of the route's path, as with nginx's alias: write both "
     "with a / at the end, or both without. Of a regular expression it is the whole file, with its "
     "groups: \"/srv/images/$1\"."},
    {"index", &RouteSettings::index, {.check = index_file},
     "What a path that ends in / is: the first of these that is there. The request goes on as if "
     "that had been asked for. None: 403."},
    {"try_files", &RouteSettings::try_files,
     {.check = tried_file, .example = "[\"$uri\", \"$uri/\", \"/index.html\"]"},
     "Files that are looked for below root in this order, folders with a / at the end, and last what "
     "is done without any: another path, as if it had been asked for, \"=404\", or the \"@name\" of a "
     "named route. Empty: the path as it is."},
    {"types", &RouteSettings::types, {.max = 64},
     "The [[types]] that tell a file's type by its ending, by name. Empty: those that browsers need."},
    {"etag", &RouteSettings::etag, {},
     "Send an ETag with a file, of its time and its size."},
    {"stub_status", &RouteSettings::stub_status, {},
     "Answer with nginx's seven numbers of connections and requests, for monitoring that reads them. "
     "/metrics of the admin address has more. Say in allow who may ask."},
    {"replace_path", &RouteSettings::replace_path, {.check = path_or_nothing},
     "The replica gets this in the place of the route's path. Empty: the path as it came."},
    {"max_body", &RouteSettings::max_body, {},
     "The largest request body; \"0\": no limit."},
    {"odd_headers", &RouteSettings::odd_headers, {},
     "Request headers whose names have other characters than letters, digits and \"-\": \"pass\", "
     "\"drop\", or \"underscores\": those with \"_\" pass. nginx drops all of them, and so does usher "
     "under an nginx.conf that does not say otherwise."},
    {"set_headers", &RouteSettings::set_headers, {},
     "Headers set on the request to the replica, such as { \"X-Client\" = \"$remote_addr\" }. Empty: "
     "the replica gets none of that name. What the client calls so goes, also where it has another "
     "character for a \"-\": a CGI or WSGI server would take \"X_Client\" for it."},
    {"request_trailers", &RouteSettings::request_trailers, {},
     "Send the trailers of requests on to the replica, but for names that this route sets or "
     "empties and those that no client may set. false: they are dropped, because a replica that "
     "merges them into the headers would take them for checked."},
    {"add_headers", &RouteSettings::add_headers, {},
     "Headers added to every response, those of usher included."},
    {"add_headers_on_success", &RouteSettings::add_headers_on_success, {},
     "The same, but only if its status is 200, 201, 204, 206, 301, 302, 303, 304, 307 or 308."},
    {"remove_headers", &RouteSettings::remove_headers, {.check = header_name},
     "Headers removed from the replica's response."},
    {"cookie_flags", &RouteSettings::cookie_flags, {},
     "Attributes of the replica's cookies: a cookie's name, or \"~\" and a regular expression, and "
     "what becomes of it: secure, httponly, samesite=strict, lax or none, nosecure, nohttponly, "
     "nosamesite. The first that names the cookie counts: \"session secure samesite=lax\"."},
    {"allow", &RouteSettings::allow, {},
     "Networks that may use this route; the others are answered with 403. \"unix:\" are those that "
     "come by a unix socket. Empty: all."},
    {"deny", &RouteSettings::deny, {},
     "Networks that may not, also when they are in allow."},
    {"satisfy", &RouteSettings::satisfy, {},
     "With basic_auth: whether a client needs both, a network that may use the route and a password "
     "(\"all\"), or one of them (\"any\": who is in allow is asked for none)."},
    {"rate_limits", &RouteSettings::rate_limits, {},
     "Zones that limit the rate of requests here, each with what may be ahead of it: \"api\": "
     "nothing; \"api burst=20\": 20 requests, which wait until the rate allows them; \"api burst=20 "
     "nodelay\": 20 requests that do not wait; \"api burst=20 delay=8\": 8 of them do not. More are "
     "refused."},
    {"rate_limit_status", &RouteSettings::rate_limit_status, {400, 599},
     "The status of those refused. 444 closes the connection without an answer."},
    {"connection_limits", &RouteSettings::connection_limits, {},
     "Zones that limit how many requests and websockets are under way at a time, each with how many "
     "of one key: \"per_address 10\". Each stream of an HTTP/2 connection counts."},
    {"connection_limit_status", &RouteSettings::connection_limit_status, {400, 599},
     "The status of those refused."},
    {"access_log", &RouteSettings::access_log, {},
     "Write a line in the access log for each request."},
    {"access_logs", &RouteSettings::access_logs, {.check = upstream_name},
     "The logs that its lines go to, by the names of [[log.file]]; \"main\" is that of [log]. "
     "Empty: main alone."},
    {"attempts", &RouteSettings::attempts, {0, 100},
     "How often a request is sent at most: again when no replica has seen it, or, once, when it is "
     "safe to do twice. 0: once for each replica and once more, five times at most."},
    {"retry_on", &RouteSettings::retry_on, {.choices = retry_causes},
     "When another replica is asked, once, for a request without a body that is safe to do twice: "
     "when the answer has one of these statuses, when it does not begin in time (\"timeout\"), when "
     "it is not HTTP (\"invalid_response\"). What the other one says counts, and the client stays "
     "there; a session of Socket.IO does not move for this."},
    {"basic_auth", &RouteSettings::basic_auth, {},
     "A name and a password are asked for here (HTTP Basic), before anything else is done. Not for "
     "Open WebUI's own pages: they send an Authorization header of their own."},
    {"rewrite_location", &RouteSettings::rewrite_location, {},
     "Where the replica's redirects lead (Location, Refresh): what begins with `from` begins with "
     "`to` instead. The first that fits counts."},
    {"rewrite_cookie_domain", &RouteSettings::rewrite_cookie_domain, {},
     "The Domain of the replica's cookies, in any case and without a dot at its beginning."},
    {"rewrite_cookie_path", &RouteSettings::rewrite_cookie_path, {},
     "The Path of the replica's cookies: what begins with `from` begins with `to` instead."},
    {"compression", &RouteSettings::compression, {},
     "What usher compresses (gzip), for replicas and files that come without. Open WebUI compresses "
     "by itself: it needs none of this."},
    {"forwarded", &RouteSettings::forwarded, {},
     "The proxies that this route believes about the client, in the place of those in [forwarded]."},
    {"timeouts", &RouteSettings::timeouts, {},
     "Timeouts of this route alone; what is not set is as in [upstream.timeouts]."},
};

const Key rewrite_keys[] = {
    {"from", &RewriteSettings::from,
     {.check = something, .required = true, .example = "\"http://127.0.0.1:8080/\""},
     "A text with variables, \"~\" and a regular expression (PCRE), or \"~*\" for one that ignores "
     "case, which puts all in other words."},
    {"to", &RewriteSettings::to, {.required = true, .example = "\"/\""},
     "What stands there then; with variables, and the groups of the expression."},
};

// clang-format on

}  // namespace

template <>
const Table& table_of<RateZoneSettings>() {
  static const Table table{rate_zone_keys, &usual<RateZoneSettings>()};
  return table;
}
template <>
const Table& table_of<ConnectionZoneSettings>() {
  static const Table table{connection_zone_keys, &usual<ConnectionZoneSettings>()};
  return table;
}
template <>
const Table& table_of<BasicAuthSettings>() {
  static const Table table{basic_auth_keys, &usual<BasicAuthSettings>()};
  return table;
}
template <>
const Table& table_of<CompressionSettings>() {
  static const Table table{compression_keys, &usual<CompressionSettings>()};
  return table;
}
template <>
const Table& table_of<RouteTimeouts>() {
  static const Table table{route_timeout_keys, &usual<RouteTimeouts>()};
  return table;
}
template <>
const Table& table_of<TrustSettings>() {
  static const Table table{trust_keys, &usual<TrustSettings>()};
  return table;
}
template <>
const Table& table_of<RouteSettings>() {
  static const Table table{route_keys, &usual<RouteSettings>()};
  return table;
}
template <>
const Table& table_of<RewriteSettings>() {
  static const Table table{rewrite_keys, &usual<RewriteSettings>()};
  return table;
}
template <>
std::span<const Named<PathMatch>> names_of() {
  return path_match_names;
}
template <>
std::span<const Named<OddHeaders>> names_of() {
  return odd_headers_names;
}
template <>
std::span<const Named<Satisfy>> names_of() {
  return satisfy_names;
}

}  // namespace usher::conf
