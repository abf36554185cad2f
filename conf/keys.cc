#include "conf/keys.h"

#include <algorithm>

#include "base/strings.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

constexpr uint64_t second = 1000;
constexpr uint64_t minute = 60 * second;
constexpr uint64_t hour = 60 * minute;
constexpr uint64_t day = 24 * hour;
constexpr uint64_t kib = 1024;
constexpr uint64_t mib = 1024 * kib;
constexpr uint64_t gib = 1024 * mib;

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";  // RFC 9110 section 5.6.2
  return is_identifier(text, marks);
}

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

const char* file(std::string_view text) { return text.empty() ? "a file's path" : nullptr; }

const char* url_path(std::string_view text) {
  const bool good = text.starts_with('/') && is_visible(text) &&
                    text.find_first_of("?#") == std::string_view::npos;
  return good ? nullptr : R"(a path that begins with "/", without "?" and "#")";
}

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

const char* types_entry(std::string_view text) {
  const auto words = split_list(text, ' ');
  const bool good = words.size() > 1 && words.front().find('/') != std::string_view::npos;
  return good ? nullptr : R"(a type and its endings such as "text/html html htm")";
}

const char* log_format(std::string_view text) {
  const bool good = text == "json" || text == "combined" || text.find('$') != text.npos;
  return good ? nullptr : R"("json", "combined" or a text with variables)";
}

const char* cookie_name(std::string_view text) {
  return is_token(text) ? nullptr : "a cookie's name (letters, digits, - and _)";
}

const char* header_name(std::string_view text) {
  return is_token(text) ? nullptr : R"(a header's name such as "X-User-Email")";
}

const char* name_or_nothing(std::string_view text) {
  return text.empty() || is_identifier(text, "-_.:") ? nullptr
                                                     : R"(a name such as "chat.internal")";
}

const char* upstream_name(std::string_view text) {
  return is_identifier(text, "-_.") ? nullptr : "a name of letters, digits, \"-\", \"_\" and \".\"";
}

const char* realm(std::string_view text) {
  return text.empty() ? R"(a name such as "Staff")" : header_value(text);
}

const char* variable_name(std::string_view text) {
  return is_identifier(text, "_") && !is_digit(text.front())
             ? nullptr
             : "a variable's name of letters, digits and \"_\"";
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

// Open WebUI's own keys and its channel (docs/contract: never touched) must stay out of reach.
const char* store_prefix(std::string_view text) {
  if (!is_identifier(text, "-_.:")) return R"(a prefix of letters, digits, "-", "_", "." and ":")";
  const bool taken = text == "open-webui" || text.starts_with("open-webui:") || text == "socketio";
  return taken ? "a prefix that Open WebUI does not use itself" : nullptr;
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

constexpr std::string_view protocol_names[] = {"h2", "http/1.1"};
constexpr std::string_view tls_versions[] = {"1.2", "1.3"};
constexpr std::string_view certificate_policies[] = {"none", "request", "require"};
constexpr std::string_view unknown_name_policies[] = {"default", "misdirected", "refuse"};

constexpr std::string_view proxied_words[] = {"any",      "auth",    "expired",          "no-cache",
                                              "no-store", "private", "no_last_modified", "no_etag"};

constexpr std::string_view version_policies[] = {"newest", "any"};

constexpr Named<Balance> balance_names[] = {
    {"least_connections", Balance::least_connections},
    {"round_robin", Balance::round_robin},
    {"random_two", Balance::random_two},
    {"rendezvous", Balance::rendezvous},
};
constexpr Named<PathMatch> path_match_names[] = {
    {"segments", PathMatch::segments},
    {"prefix", PathMatch::prefix},
    {"prefix_first", PathMatch::prefix_first},
    {"exact", PathMatch::exact},
    {"regex", PathMatch::regex},
    {"regex_ignoring_case", PathMatch::regex_ignoring_case},
    {"named", PathMatch::named},
};
constexpr Named<Satisfy> satisfy_names[] = {
    {"all", Satisfy::all},
    {"any", Satisfy::any},
};
constexpr std::string_view log_escapes[] = {"default", "json", "none"};

constexpr Named<LogLevelName> log_level_names[] = {
    {"debug", LogLevelName::debug},
    {"info", LogLevelName::info},
    {"warning", LogLevelName::warning},
    {"error", LogLevelName::error},
};

// clang-format off
constexpr Key<ListenSettings> listen_keys[] = {
    {"address", &ListenSettings::address, {.required = true},
     "Where to listen: \"host:port\", \":port\" (IPv4 and IPv6) or \"unix:/path\". Port 0 lets "
     "the kernel choose."},
    {"tls", &ListenSettings::tls, {},
     "Speak TLS here, with the certificates of [tls]."},
    {"protocols", &ListenSettings::protocols,
     {.choices = protocol_names},
     "What is offered to clients, best first: with TLS by ALPN; without, a client may begin with "
     "HTTP/2 at once (prior knowledge). Empty: both with TLS, \"http/1.1\" without."},
    {"redirect_to_https", &ListenSettings::redirect_to_https, {},
     "Answer every request here with a redirect to https."},
    {"proxy_protocol", &ListenSettings::proxy_protocol, {},
     "Every connection here comes through a balancer and begins with the PROXY protocol's header, "
     "version 1 or 2. Only the balancers in forwarded.trusted, and those that come over a unix "
     "socket, are listened to."},
};

constexpr Key<CertificateSettings> certificate_keys[] = {
    {"chain", &CertificateSettings::chain,
     {.check = file, .required = true, .example = "\"/certs/fullchain.pem\""},
     "PEM file: the certificate, then the intermediate ones."},
    {"key", &CertificateSettings::key,
     {.check = file, .required = true, .example = "\"/certs/privkey.pem\""},
     "PEM file: the private key."},
};

constexpr Key<TlsSettings> tls_keys[] = {
    {"min_version", &TlsSettings::min_version, {.choices = tls_versions},
     "The oldest TLS version that is spoken."},
    {"ciphers", &TlsSettings::ciphers, {.max = 4096},
     "The cipher suites of TLS 1.2, as OpenSSL names them. Empty: Mozilla's intermediate profile."},
    {"ciphersuites", &TlsSettings::ciphersuites, {.max = 4096},
     "The cipher suites of TLS 1.3, as OpenSSL names them. Empty: all three that browsers know."},
    {"prefer_server_ciphers", &TlsSettings::prefer_server_ciphers, {},
     "Our order of the cipher suites counts, not the client's; but who puts ChaCha20 first gets it."},
    {"groups", &TlsSettings::groups, {.min = 1, .max = 4096},
     "The groups for the key exchange, best first, as OpenSSL names them."},
    {"unknown_name", &TlsSettings::unknown_name, {.choices = unknown_name_policies},
     "What a client gets that asks for a name (SNI) which no certificate is for: the default "
     "certificate and service; the default certificate and status 421; or no connection."},
    {"session_tickets", &TlsSettings::session_tickets, {},
     "Let clients resume a TLS session on any node: the keys live in the store and rotate."},
    {"ticket_rotate", &TlsSettings::ticket_rotate, {1000, 84 * hour},
     "How often the keys of session tickets are replaced. A session can be resumed for twice as "
     "long."},
    {"ocsp_stapling", &TlsSettings::ocsp_stapling, {},
     "Ask the OCSP responder that a certificate names, in the background, and staple its answer to "
     "handshakes. The chain must hold the issuer's certificate."},
    {"client_certificate", &TlsSettings::client_certificate, {.choices = certificate_policies},
     "Whether clients are asked for a certificate, and whether they must show one. Its subject and "
     "its SHA-256 fingerprint go to the replica in X-Client-Cert-Subject and "
     "X-Client-Cert-Fingerprint, which nobody else can set."},
    {"client_ca", &TlsSettings::client_ca, {},
     "PEM file of the authorities that may sign the certificates of clients."},
    {"certificate", &TlsSettings::certificates, {},
     "A certificate and its key, chosen by the name that the client asks for (SNI); the first is "
     "the default. A name may have one with an ECDSA key and one with an RSA key: the client gets "
     "the one that it can verify. None: a self-signed one is made."},
};

constexpr Key<StoreSettings> store_keys[] = {
    {"url", &StoreSettings::url, {},
     "\"memory:\" for one node; for several that route alike Redis or Valkey: "
     "\"redis://[[user]:password@]host[:port][/database]\", "
     "\"redis+sentinel://[[user]:password@]host[:port],…/service[/database]\" or "
     "\"redis+cluster://[[user]:password@]host[:port],…\"; with rediss in the place of redis: "
     "over TLS. User and password are percent-encoded."},
    {"prefix", &StoreSettings::prefix, {.max = 64, .check = store_prefix},
     "Every key in the store begins with this. Nodes that belong together share it."},
    {"timeout", &StoreSettings::timeout, {1, minute},
     "A store slower than this is treated as down for that request; no request fails because of "
     "it."},
    {"ca", &StoreSettings::ca, {.example = "\"/certs/redis-ca.pem\""},
     "PEM file: the authorities that may have signed the certificate of a rediss:// server, which "
     "must name the host of the URL. Empty: the system's."},
    {"cert", &StoreSettings::cert, {.example = "\"/certs/usher.pem\""},
     "PEM file: the certificate that is shown to a rediss:// server, with its chain. Empty: none."},
    {"key", &StoreSettings::key, {.example = "\"/certs/usher.key\""},
     "PEM file: its private key."},
};

constexpr Key<AffinitySettings> affinity_keys[] = {
    {"cookie", &AffinitySettings::cookie, {.max = 64, .check = cookie_name},
     "The cookie that ties a client to its replica."},
    {"secret", &AffinitySettings::secret, {},
     "Signs the cookie. Empty: made once and shared through the store."},
    {"rotate", &AffinitySettings::rotate, {0, 366 * day},
     "How often the secret in a shared store is replaced by a new one; the old one is believed for "
     "as long again and affinity.idle. \"0s\": only by `usher rotate-secret`."},
    {"idle", &AffinitySettings::idle, {second, 365 * day},
     "A client that is silent for so long may be given another replica."},
};

constexpr Key<HealthSettings> health_keys[] = {
    {"path", &HealthSettings::path, {.check = url_path},
     "The path that a probe asks for. When it answers 404, \"/health\" is asked instead."},
    {"interval", &HealthSettings::interval, {100, 10 * minute},
     "Time between two probes of a replica."},
    {"timeout", &HealthSettings::timeout, {10, 10 * minute},
     "A probe that takes longer has failed."},
    {"fall", &HealthSettings::fall, {1, 100},
     "So many failed probes in a row and the replica is down."},
    {"rise", &HealthSettings::rise, {1, 100},
     "So many good probes in a row and it is up again."},
    {"any_answer", &HealthSettings::any_answer, {},
     "Any answer below 500 is good: for replicas that know neither path."},
};

constexpr Key<UpstreamTimeouts> upstream_timeout_keys[] = {
    {"connect", &UpstreamTimeouts::connect, {1, 10 * minute},
     "To connect to a replica."},
    {"send", &UpstreamTimeouts::send, {1, 7 * day},
     "A replica that takes nothing of a request for so long, though it should, is given up."},
    {"first_byte", &UpstreamTimeouts::first_byte, {1, 7 * day},
     "From the end of a request to the first byte of its response: a model may think for long."},
    {"between_bytes", &UpstreamTimeouts::between_bytes, {1, 7 * day},
     "Between two pieces of a response."},
    {"keep_alive", &UpstreamTimeouts::keep_alive, {1, hour},
     "How long an idle connection to a replica is kept. Stay below the replica's own limit "
     "(uvicorn: 5s)."},
    {"tunnel_idle", &UpstreamTimeouts::tunnel_idle, {1, 7 * day},
     "A websocket that is silent in both directions for so long is closed."},
};

constexpr Key<UpstreamSettings> upstream_keys[] = {
    {"name", &UpstreamSettings::name, {.max = 64, .check = upstream_name, .required = true},
     "What routes, logs and metrics call it."},
    {"replicas", &UpstreamSettings::replicas, {.required = true},
     "\"host:port\", \"https://host:port\" or \"unix:/path\", one or more, each with its "
     "weight if need be: \"host:port weight=2\" takes twice as many new clients as one without "
     "(1 to 256). A \"host:port backup\" takes clients only while none of the others does; those stay "
     "there. Every address that a name resolves to is a replica."},
    {"tls_verify", &UpstreamSettings::tls_verify, {},
     "Verify the certificates of https replicas. Without it anybody on the way can pose as one."},
    {"tls_name", &UpstreamSettings::tls_name, {.max = 253, .check = name_or_nothing},
     "The name that https replicas are asked for (SNI) and that their certificates must have. Empty: "
     "the name or address in `replicas`."},
    {"ca", &UpstreamSettings::ca, {},
     "PEM file of the authorities that may sign the certificates of https replicas. Empty: those "
     "of the system."},
    {"resolve", &UpstreamSettings::resolve, {100, hour},
     "How often the names are resolved again."},
    {"balance", &UpstreamSettings::balance, {},
     "How a replica is chosen for a new client."},
    {"versions", &UpstreamSettings::versions, {.choices = version_policies},
     "Where new clients go when the replicas' versions (/api/version) differ: to the newest one, "
     "and nobody moves to another one before its replica is gone; or to any."},
    {"slow_start", &UpstreamSettings::slow_start, {0, hour},
     "A replica that is new or has come back takes a tenth of its share of new clients at first, "
     "and all of it after this time. \"0s\": at once."},
    {"rebalance", &UpstreamSettings::rebalance, {0, 10'000},
     "After a replica has joined or come back: so many clients a second are moved to it by each "
     "node, at a moment when nothing is going on between them and theirs, until it has as many as "
     "the others. 0: who has a replica stays there."},
    {"max_connections", &UpstreamSettings::max_connections, {0, 1'000'000},
     "Requests and websockets that this node has at one replica at a time; 0: no limit. New "
     "clients go to another replica, those who are bound to a full one wait."},
    {"queue", &UpstreamSettings::queue, {0, 1'000'000},
     "So many requests may wait for a place at one replica; more are answered with 503."},
    {"queue_timeout", &UpstreamSettings::queue_timeout, {1, 10 * minute},
     "A request that has waited for so long is answered with 503."},
    {"drain", &UpstreamSettings::drain, {0, 7 * day},
     "How long clients with an open websocket may stay at a replica that is drained by command, if "
     "the command does not say so. \"0s\": until the websocket closes."},
    {"socketio", &UpstreamSettings::socketio, {.check = url_path},
     "Paths where Socket.IO lives: a request with sid= goes to the replica that issued that sid."},
    {"migrate", &UpstreamSettings::migrate, {},
     "Carry on Socket.IO websockets at another replica when theirs goes: the client stays "
     "connected. false: they are passed on unread, and end with their replica."},
    {"replay", &UpstreamSettings::replay, {},
     "Socket.IO events that do no harm when two replicas get them: sent again to the new replica "
     "when the old one had not acknowledged them. With any other the client is told to reconnect."},
    {"quiet", &UpstreamSettings::quiet, {0, hour},
     "A session leaves a draining replica, or one that has too many, when nobody owes an answer and "
     "the replica has sent nothing for so long."},
    {"hold", &UpstreamSettings::hold, {0, 10 * minute},
     "While no replica is up, GET and HEAD requests wait for so long before they are answered with "
     "503; page navigations get a page at once that tries again. \"0s\": no request waits."},
    {"park", &UpstreamSettings::park, {0, day},
     "While no replica is up, Socket.IO websockets stay open for so long and wait; then their "
     "clients are told to reconnect."},
    {"migrate_rate", &UpstreamSettings::migrate_rate, {1, 1'000'000},
     "So many websockets a second are carried on at one replica; more wait their turn."},
    {"health", &UpstreamSettings::health, {},
     "How usher finds out that a replica is well."},
    {"timeouts", &UpstreamSettings::timeouts, {},
     "The replica's side of a request."},
};

constexpr Key<RateZoneSettings> rate_zone_keys[] = {
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

constexpr Key<ConnectionZoneSettings> connection_zone_keys[] = {
    {"name", &ConnectionZoneSettings::name,
     {.max = 64, .check = zone_name, .required = true, .example = "\"per_address\""},
     "What routes, logs and metrics call it."},
    {"key", &ConnectionZoneSettings::key, {.check = zone_key},
     "What is counted apart, in variables of the request. A request for which it is empty is not "
     "counted."},
    {"size", &ConnectionZoneSettings::size, {32 * kib, gib},
     "How much memory it may take. When it is full, requests of other keys are refused."},
};

constexpr Key<BasicAuthSettings> basic_auth_keys[] = {
    {"realm", &BasicAuthSettings::realm, {.check = realm, .example = "\"Staff\""},
     "What the browser calls that for which it asks; with variables. Where it comes to \"off\", no "
     "password is asked for."},
    {"file", &BasicAuthSettings::file,
     {.check = file, .example = "\"/etc/usher/htpasswd\""},
     "Lines \"name:hash\" or \"name:hash:comment\", as htpasswd writes them: bcrypt, yescrypt, "
     "sha512-crypt and what else crypt(3) knows, apr1, {SSHA}, {SHA}, {PLAIN}. It is read again "
     "when it has changed."},
};

constexpr Key<CompressionSettings> compression_keys[] = {
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

constexpr Key<RouteTimeouts> route_timeout_keys[] = {
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

constexpr Key<RouteSettings> route_keys[] = {
    {"host", &RouteSettings::host, {.max = 253, .check = host_pattern},
     "\"chat.example.org\", \"*.example.org\", \"chat.*\", \"~\" and a regular expression, or \"*\" "
     "for any. The most specific host wins, in this order."},
    {"hosts", &RouteSettings::hosts, {.max = 253, .check = host_pattern},
     "Several of them, in the place of host."},
    {"ports", &RouteSettings::ports, {.min = 1},
     "Only for requests that come in on these ports. Empty: on any."},
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
    {"set_headers", &RouteSettings::set_headers, {},
     "Headers set on the request to the replica, such as { \"X-Client\" = \"$remote_addr\" }. Empty: "
     "the replica gets none of that name."},
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
     "Networks that may use this route; the others are answered with 403. Empty: all."},
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
    {"timeouts", &RouteSettings::timeouts, {},
     "Timeouts of this route alone; what is not set is as in [upstream.timeouts]."},
};

constexpr Key<RewriteSettings> rewrite_keys[] = {
    {"from", &RewriteSettings::from,
     {.check = something, .required = true, .example = "\"http://127.0.0.1:8080/\""},
     "A text with variables, \"~\" and a regular expression (PCRE), or \"~*\" for one that ignores "
     "case, which puts all in other words."},
    {"to", &RewriteSettings::to, {.required = true, .example = "\"/\""},
     "What stands there then; with variables, and the groups of the expression."},
};

constexpr Key<TypesSettings> types_keys[] = {
    {"name", &TypesSettings::name,
     {.max = 64, .check = upstream_name, .required = true, .example = "\"own\""},
     "What routes call it."},
    {"entries", &TypesSettings::entries,
     {.check = types_entry, .example = "[\"text/html html htm\"]"},
     "Each a type, and after it the endings of its files, in any case. Any other file is content_type."},
};

constexpr Key<MapEntry> map_entry_keys[] = {
    {"match", &MapEntry::match,
     {.max = 4096, .required = true, .example = "\"~*(?<tool>curl|wget)\""},
     "The whole text, in any case; \"~\" and a regular expression (PCRE), \"~*\" for one that "
     "ignores case; with hostnames \"*.example.org\", \".example.org\" and \"www.*\" as well. "
     "\"\\\" before a text that begins with \"~\" or \"\\\" itself. An empty source matches no expression."},
    {"value", &MapEntry::value, {.required = true, .example = "\"$tool\""},
     "What the variable is then; with variables, and the groups of its expression."},
};

constexpr Key<MapSettings> map_keys[] = {
    {"name", &MapSettings::name,
     {.max = 64, .check = variable_name, .required = true, .example = "\"client_kind\""},
     "The variable's name, without \"$\"."},
    {"source", &MapSettings::source, {.required = true, .example = "\"$http_user_agent\""},
     "What is looked up: a text with variables, also those of other maps."},
    {"default", &MapSettings::otherwise, {},
     "What the variable is where nothing matches."},
    {"hostnames", &MapSettings::hostnames, {},
     "The source is a host, which may end in a dot, and the texts may be patterns of names."},
    {"entry", &MapSettings::entries, {},
     "One value of the source. A text beats an expression; of the patterns the longest counts, "
     "those that begin with a star first; of the expressions the first that matches."},
};

constexpr Key<ForwardedSettings> forwarded_keys[] = {
    {"trusted", &ForwardedSettings::trusted, {},
     "Networks (\"10.0.0.0/8\") of the proxies in front whose X-Forwarded-* headers are believed."},
    {"client_header", &ForwardedSettings::client_header, {.check = header_name},
     "The header in which they say who the client is, such as \"CF-Connecting-IP\": read from the "
     "right as far as there are trusted proxies."},
    {"strip", &ForwardedSettings::strip, {.check = header_name},
     "Identity headers that no client may set: they are removed from every request that does not "
     "come from a trusted proxy. Name here what WEBUI_AUTH_TRUSTED_*_HEADER names in Open WebUI."},
};

constexpr Key<LimitSettings> limit_keys[] = {
    {"head", &LimitSettings::head, {kib, 16 * mib},
     "The largest request head."},
    {"response_head", &LimitSettings::response_head, {kib, 16 * mib},
     "The largest response head of a replica."},
    {"connections", &LimitSettings::connections, {0, 1'000'000},
     "Connections from one client address; more are answered with 429. Trusted proxies and unix "
     "sockets are not limited. 0: no limit."},
    {"handshakes", &LimitSettings::handshakes, {0, 1'000'000},
     "Handshakes of TLS and of the PROXY protocol under way in one worker; beyond it the oldest is "
     "given up. 0: no limit."},
};

constexpr Key<Http2Settings> http2_keys[] = {
    {"max_concurrent_streams", &Http2Settings::max_concurrent_streams, {1, 10'000},
     "Requests and websockets of one connection at a time."},
    {"window", &Http2Settings::window, {64 * kib, 16 * mib},
     "How much of one request's body may be on its way before its replica has taken it."},
    {"extended_connect", &Http2Settings::extended_connect, {},
     "Offer websockets over HTTP/2 (RFC 8441). Without it browsers open a connection of their own "
     "for each."},
    {"max_resets", &Http2Settings::max_resets, {1, 1'000'000},
     "Requests of one connection that may be taken back, or be malformed, within ten seconds; "
     "after more it is ended."},
    {"max_control_frames", &Http2Settings::max_control_frames, {10, 1'000'000},
     "Frames of one connection that carry nothing (SETTINGS, PING, PRIORITY, CONTINUATION, empty "
     "DATA) within ten seconds; after more it is ended."},
};

constexpr Key<ClientTimeouts> client_timeout_keys[] = {
    {"handshake", &ClientTimeouts::handshake, {1, hour},
     "For the TLS handshake, with the PROXY protocol's header before it."},
    {"head", &ClientTimeouts::head, {1, hour},
     "For a request's head."},
    {"keep_alive", &ClientTimeouts::keep_alive, {1, day},
     "How long an idle connection is kept."},
    {"stall", &ClientTimeouts::stall, {1, day},
     "A body that does not move for so long, either way, is given up."},
    {"drain", &ClientTimeouts::drain, {1, day},
     "How long requests may finish when usher stops. In the last third of it websockets are told "
     "to go, one after the other."},
    {"replaced", &ClientTimeouts::replaced, {1, 7 * day},
     "How long requests and websockets may stay with a process that another one has replaced "
     "(SIGUSR2). In the last third of it websockets are told to go, one after the other."},
};

constexpr Key<AdminSettings> admin_keys[] = {
    {"address", Switched<AdminSettings>{&AdminSettings::enabled, &AdminSettings::address}, {},
     "Where health, metrics and the admin API are served, plain http: keep it on loopback or a "
     "private network. \"\" switches it off."},
};

constexpr Key<AccessLogSettings> access_log_keys[] = {
    {"name", &AccessLogSettings::name,
     {.max = 64, .check = upstream_name, .required = true, .example = "\"errors\""},
     "What routes call it."},
    {"access", &AccessLogSettings::access, {.check = file},
     "As in [log]: where it is."},
    {"format", &AccessLogSettings::format, {.check = log_format},
     "As in [log]."},
    {"escape", &AccessLogSettings::escape, {.choices = log_escapes},
     "As in [log]."},
    {"when", &AccessLogSettings::when, {},
     "As in [log]."},
};

constexpr Key<LogSettings> log_keys[] = {
    {"access", &LogSettings::access, {.check = file},
     "\"stdout\", \"off\", or a file's path."},
    {"format", &LogSettings::format, {.check = log_format},
     "\"json\": one object a line; \"combined\": nginx's format of this name; or a text with nginx's "
     "variables, such as \"$remote_addr $status $request_time\"."},
    {"escape", &LogSettings::escape, {.choices = log_escapes},
     "How a text's variables are written: quotes and control characters as \\xHH, and \"-\" where "
     "there is nothing; or as they stand in a JSON string; or as they are."},
    {"when", &LogSettings::when, {},
     "A text with variables; where it is empty or \"0\" there is no line. Empty: a line for each "
     "request."},
    {"process", &LogSettings::process, {.check = file},
     "Where usher's own log goes: \"stderr\", or a file's path."},
    {"level", &LogSettings::level, {},
     "What is worth a line there."},
    {"file", &LogSettings::files, {},
     "A further access log, for the routes whose access_logs name it."},
};

constexpr Key<Settings> settings_keys[] = {
    {"workers", &Settings::workers, {0, 1024},
     "Threads that serve; 0: one per CPU."},
    {"state", &Settings::state, {},
     "A directory for what must survive a restart, such as the self-signed certificate. Empty: "
     "found at start."},
    {"listen", &Settings::listen, {},
     "An address to listen on. None: http on :8088 and https on :8443."},
    {"tls", &Settings::tls, {},
     "Certificates, and how TLS is spoken to clients."},
    {"store", &Settings::store, {},
     "Where session affinity lives."},
    {"affinity", &Settings::affinity, {},
     "How a client is known again."},
    {"upstream", &Settings::upstreams, {},
     "A group of replicas. None: \"open-webui\" at 127.0.0.1:8080."},
    {"rate_zone", &Settings::rate_zones, {},
     "A rate that routes may limit requests by, counted by all workers of this node together, as "
     "nginx's limit_req_zone. None."},
    {"connection_zone", &Settings::connection_zones, {},
     "What routes may limit the number of requests under way by, as nginx's limit_conn_zone. None."},
    {"route", &Settings::routes, {},
     "What is done with a request: the most specific host, then the longest path. "
     "None: everything goes to the first upstream."},
    {"types", &Settings::types, {},
     "Types of files by their endings, for routes with root or alias, as with nginx's types. None."},
    {"map", &Settings::maps, {},
     "A variable that follows from others, as with nginx's map. It may stand wherever a value has "
     "variables, and is worked out when it is needed."},
    {"forwarded", &Settings::forwarded, {},
     "What is believed of a request that came through another proxy."},
    {"limits", &Settings::limits, {},
     "How much a peer may send."},
    {"http2", &Settings::http2, {},
     "How HTTP/2 is spoken to clients."},
    {"timeouts", &Settings::timeouts, {},
     "The client's side of a request."},
    {"admin", &Settings::admin, {},
     "Health, metrics and the admin API."},
    {"log", &Settings::log, {},
     "What is written about requests and about usher itself."},
};
// clang-format on

}  // namespace

template <>
std::span<const Key<Settings>> keys_of() {
  return settings_keys;
}
template <>
std::span<const Key<ListenSettings>> keys_of() {
  return listen_keys;
}
template <>
std::span<const Key<CertificateSettings>> keys_of() {
  return certificate_keys;
}
template <>
std::span<const Key<TlsSettings>> keys_of() {
  return tls_keys;
}
template <>
std::span<const Key<StoreSettings>> keys_of() {
  return store_keys;
}
template <>
std::span<const Key<AffinitySettings>> keys_of() {
  return affinity_keys;
}
template <>
std::span<const Key<HealthSettings>> keys_of() {
  return health_keys;
}
template <>
std::span<const Key<UpstreamTimeouts>> keys_of() {
  return upstream_timeout_keys;
}
template <>
std::span<const Key<UpstreamSettings>> keys_of() {
  return upstream_keys;
}
template <>
std::span<const Key<RateZoneSettings>> keys_of() {
  return rate_zone_keys;
}
template <>
std::span<const Key<ConnectionZoneSettings>> keys_of() {
  return connection_zone_keys;
}
template <>
std::span<const Key<BasicAuthSettings>> keys_of() {
  return basic_auth_keys;
}
template <>
std::span<const Key<CompressionSettings>> keys_of() {
  return compression_keys;
}
template <>
std::span<const Key<RouteTimeouts>> keys_of() {
  return route_timeout_keys;
}
template <>
std::span<const Key<RouteSettings>> keys_of() {
  return route_keys;
}
template <>
std::span<const Key<RewriteSettings>> keys_of() {
  return rewrite_keys;
}
template <>
std::span<const Key<TypesSettings>> keys_of() {
  return types_keys;
}
template <>
std::span<const Key<MapEntry>> keys_of() {
  return map_entry_keys;
}
template <>
std::span<const Key<MapSettings>> keys_of() {
  return map_keys;
}
template <>
std::span<const Key<ForwardedSettings>> keys_of() {
  return forwarded_keys;
}
template <>
std::span<const Key<LimitSettings>> keys_of() {
  return limit_keys;
}
template <>
std::span<const Key<Http2Settings>> keys_of() {
  return http2_keys;
}
template <>
std::span<const Key<ClientTimeouts>> keys_of() {
  return client_timeout_keys;
}
template <>
std::span<const Key<AdminSettings>> keys_of() {
  return admin_keys;
}
template <>
std::span<const Key<AccessLogSettings>> keys_of() {
  return access_log_keys;
}
template <>
std::span<const Key<LogSettings>> keys_of() {
  return log_keys;
}

template <>
std::span<const Named<Balance>> names_of() {
  return balance_names;
}
template <>
std::span<const Named<PathMatch>> names_of() {
  return path_match_names;
}
template <>
std::span<const Named<Satisfy>> names_of() {
  return satisfy_names;
}
template <>
std::span<const Named<LogLevelName>> names_of() {
  return log_level_names;
}

}  // namespace usher::conf
