#include "conf/keys.h"

#include "conf/text_rules.h"
#include "conf/units.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

using namespace units;

const char* log_format(std::string_view text) {
  const bool good = text == "json" || text == "combined" || text.find('$') != text.npos;
  return good ? nullptr : R"("json", "combined" or a text with variables)";
}

const char* cookie_name(std::string_view text) {
  return is_token(text) ? nullptr : "a cookie's name (letters, digits, - and _)";
}

// Open WebUI's own keys and its channel (docs/contract: never touched) must stay out of reach.
const char* store_prefix(std::string_view text) {
  if (!is_identifier(text, "-_.:")) return R"(a prefix of letters, digits, "-", "_", "." and ":")";
  const bool taken = text == "open-webui" || text.starts_with("open-webui:") || text == "socketio";
  return taken ? "a prefix that Open WebUI does not use itself" : nullptr;
}

// RFC 6750 section 2.1.
const char* bearer_token(std::string_view text) {
  const std::string_view body = text.substr(0, text.find_last_not_of('=') + 1);
  return text.empty() || is_identifier(body, "-._~+/")
             ? nullptr
             : R"(letters, digits, "-", ".", "_", "~", "+" and "/", with "=" at the end alone)";
}

const char* admin_host(std::string_view text) {
  return text == "*" || is_identifier(text, "-_.") ? nullptr : R"(a name without a port, or "*")";
}

// "usher", "usher:www-data", "10001:10001".
const char* user(std::string_view text) {
  const size_t colon = text.find(':');
  const bool good = is_identifier(text.substr(0, colon), "-_.") &&
                    (colon == text.npos || is_identifier(text.substr(colon + 1), "-_."));
  return text.empty() || good ? nullptr : R"("name", "name:group" or their numbers)";
}

constexpr std::string_view protocol_names[] = {"h2", "http/1.1"};
constexpr std::string_view tls_versions[] = {"1.2", "1.3"};
constexpr std::string_view certificate_policies[] = {"none", "request", "require"};
constexpr std::string_view same_site_values[] = {"lax", "none"};
constexpr std::string_view unknown_name_policies[] = {"default", "misdirected", "refuse"};
constexpr std::string_view log_escapes[] = {"default", "json", "none"};

constexpr Named<LogLevelName> log_level_names[] = {
    {"debug", LogLevelName::debug},
    {"info", LogLevelName::info},
    {"warning", LogLevelName::warning},
    {"error", LogLevelName::error},
};

// clang-format off
const Key listen_keys[] = {
    {"address", &ListenSettings::address,
     {.required = true, .others = "listen bind port host addr"},
     "Where to listen: \"host:port\", \":port\" (IPv4 and IPv6) or \"unix:/path\". Port 0 lets "
     "the kernel choose."},
    {"tls", &ListenSettings::tls, {},
     "Speak TLS here, with the certificates of [tls]."},
    {"protocols", &ListenSettings::protocols,
     {.choices = protocol_names},
     "What is offered to clients, best first: with TLS by ALPN; without, a client may begin with "
     "HTTP/2 at once (prior knowledge). Empty: both with TLS, \"http/1.1\" without."},
    {"redirect_to_https", &ListenSettings::redirect_to_https, {},
     "Answer every request here with a redirect to https, unless a trusted proxy says that its "
     "client has come by it (X-Forwarded-Proto)."},
    {"proxy_protocol", &ListenSettings::proxy_protocol, {},
     "Every connection here comes through a balancer and begins with the PROXY protocol's header, "
     "version 1 or 2. Only the balancers in trusted, and those that come over a unix socket, are "
     "listened to."},
    {"trusted", &ListenSettings::trusted, {},
     "The networks of those balancers. Empty: those in forwarded.trusted."},
};

const Key certificate_keys[] = {
    {"chain", &CertificateSettings::chain,
     {.check = file,
      .required = true,
      .example = "\"/certs/fullchain.pem\"",
      .is_read = true,
      .others = "cert certificate crt fullchain"},
     "PEM file: the certificate, then the intermediate ones."},
    {"key", &CertificateSettings::key,
     {.check = file,
      .required = true,
      .example = "\"/certs/privkey.pem\"",
      .is_read = true,
      .others = "private_key privkey"},
     "PEM file: the private key."},
};

const Key tls_keys[] = {
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
    {"session_tickets", &TlsSettings::session_tickets, {.reload = Reload::restart},
     "Let clients resume a TLS session on any node: the keys live in the store and rotate."},
    {"ticket_rotate", &TlsSettings::ticket_rotate,
     {.min = 1000, .max = 84 * hour, .reload = Reload::restart},
     "How often the keys of session tickets are replaced. A session can be resumed for twice as "
     "long."},
    {"session_cache", &TlsSettings::session_cache, {0, 1'000'000},
     "Without session_tickets: so many sessions are kept in memory, to be resumed on this node, for "
     "as long as tickets would. A new certificate, a new OCSP response or a reload forgets them. 0: "
     "none."},
    {"dh_parameters", &TlsSettings::dh_parameters, {.example = "\"/certs/dhparam.pem\"", .is_read = true},
     "PEM file with the group for DHE cipher suites of TLS 1.2, for who names such. Empty: one "
     "as strong as the certificate's key."},
    {"ocsp_stapling", &TlsSettings::ocsp_stapling, {},
     "Ask the OCSP responder that a certificate names, in the background, and staple its answer to "
     "handshakes. The issuer's certificate must be in the chain, or in trusted_ca."},
    {"client_certificate", &TlsSettings::client_certificate, {.choices = certificate_policies},
     "Whether clients are asked for a certificate, and whether they must show one. Its subject and "
     "its SHA-256 fingerprint go to the replica in X-Client-Cert-Subject and "
     "X-Client-Cert-Fingerprint, which nobody else can set."},
    {"client_ca", &TlsSettings::client_ca, {.is_read = true},
     "PEM file of the authorities that may sign the certificates of clients, and are named to them."},
    {"trusted_ca", &TlsSettings::trusted_ca, {.example = "\"/certs/ca.pem\"", .is_read = true},
     "PEM file of further authorities: those that may sign the certificates of clients too, and "
     "issuers that OCSP stapling must know."},
    {"client_verify_depth", &TlsSettings::client_verify_depth, {0, 100},
     "How many intermediate certificates may stand between a client's own and that of the authority "
     "that is trusted."},
    {"certificate", &TlsSettings::certificates, {},
     "A certificate and its key, chosen by the name that the client asks for (SNI); the first is "
     "the default. A name may have one with an ECDSA key and one with an RSA key: the client gets "
     "the one that it can verify. None: a self-signed one is made."},
};

const Key store_keys[] = {
    {"url", &StoreSettings::url, {.others = "uri address host server servers redis"},
     "\"memory:\" for one node; for several that route alike Redis or Valkey: "
     "\"redis://[[user]:password@]host[:port][/database]\", "
     "\"redis+sentinel://[[user]:password@]host[:port],…/service[/database]\" or "
     "\"redis+cluster://[[user]:password@]host[:port],…\"; with rediss in the place of redis: "
     "over TLS. User and password are percent-encoded."},
    {"url_file", &StoreSettings::url_file,
     {.example = "\"/run/secrets/usher-store\"", .is_read = true},
     "A file that holds the URL instead, so that its password stands nowhere else. It is read at the "
     "start."},
    {"prefix", &StoreSettings::prefix, {.max = 64, .check = store_prefix},
     "Every key in the store begins with this. Nodes that belong together share it."},
    {"timeout", &StoreSettings::timeout, {1, minute},
     "A store slower than this is treated as down for that request; no request fails because of "
     "it."},
    {"memory", &StoreSettings::memory, {64 * kib, 64 * gib},
     "With \"memory:\": how much memory it may take; 1 MiB is enough for some 3900 clients that have "
     "moved, or polling sessions. When it is full, those that were silent for the longest are "
     "forgotten."},
    {"ca", &StoreSettings::ca, {.example = "\"/certs/redis-ca.pem\"", .is_read = true},
     "PEM file: the authorities that may have signed the certificate of a rediss:// server, which "
     "must name the host of the URL. Empty: the system's."},
    {"cert", &StoreSettings::cert, {.example = "\"/certs/usher.pem\"", .is_read = true},
     "PEM file: the certificate that is shown to a rediss:// server, with its chain. Empty: none."},
    {"key", &StoreSettings::key, {.example = "\"/certs/usher.key\"", .is_read = true},
     "PEM file: its private key."},
};

const Key affinity_keys[] = {
    {"cookie", &AffinitySettings::cookie, {.max = 64, .check = cookie_name},
     "The cookie that ties a client to its replica."},
    {"same_site", &AffinitySettings::same_site, {.choices = same_site_values},
     "\"none\": browsers send the cookie in a frame of another site as well, such as a tab of Teams "
     "or a portal (SameSite=None, Partitioned; over https alone)."},
    {"secret", &AffinitySettings::secret, {},
     "Signs the cookie. Empty: made once and shared through the store."},
    {"secret_file", &AffinitySettings::secret_file,
     {.example = "\"/run/secrets/usher-cookies\"", .is_read = true},
     "A file that holds the secret instead. It is read at the start."},
    {"rotate", &AffinitySettings::rotate, {0, 366 * day},
     "How often the secret in a shared store is replaced by a new one; the old one is believed for "
     "as long again and affinity.idle. \"0s\": only by `usher rotate-secret`."},
    {"idle", &AffinitySettings::idle, {second, 365 * day},
     "How long the store remembers a client that has been moved and is silent; one that has never "
     "been moved is known by its cookie alone. At least this long an old secret is believed."},
};

const Key forwarded_keys[] = {
    {"trusted", &ForwardedSettings::trusted, {},
     "Networks (\"10.0.0.0/8\") of the proxies in front whose X-Forwarded-* headers are believed; "
     "\"unix:\" for those that come by a unix socket."},
    {"client_header", &ForwardedSettings::client_header, {.check = header_name},
     "The header in which they say who the client is, such as \"CF-Connecting-IP\": read from the "
     "right as far as there are trusted proxies."},
    {"recursive", &ForwardedSettings::recursive, {},
     "false: the rightmost address there is the client's, also when it is a trusted proxy's."},
    {"strip", &ForwardedSettings::strip, {.check = header_name},
     "Identity headers that no client may set: they are removed from every request that does not "
     "come from a trusted proxy, and so is client_header. A list here replaces the usual one."},
    {"strip_also", &ForwardedSettings::strip_also, {.check = header_name},
     "Further ones, beside those in strip: what WEBUI_AUTH_TRUSTED_*_HEADER names in Open WebUI."},
};

const Key limit_keys[] = {
    {"head", &LimitSettings::head, {kib, 16 * mib},
     "The largest request head."},
    {"response_head", &LimitSettings::response_head, {kib, 16 * mib},
     "The largest response head of a replica."},
    {"connections", &LimitSettings::connections, {0, 1'000'000},
     "Connections from one client address; more are answered with 429. Trusted proxies and unix "
     "sockets are not limited. 0: no limit."},
    {"sids", &LimitSettings::sids, {0, 1'000'000},
     "Polling sessions of Socket.IO that one client address (of IPv6: one /64) may have in the store "
     "by this node. Those beyond it are served too, but found by their client's cookie alone. 0: no "
     "limit."},
    {"connection_requests", &LimitSettings::connection_requests, {0, 1'000'000'000},
     "Requests of one connection; then it is closed, and clients open another one. 0: no limit."},
    {"handshakes", &LimitSettings::handshakes, {0, 1'000'000},
     "Handshakes of TLS and of the PROXY protocol under way in one worker; beyond it the oldest is "
     "given up. 0: no limit."},
    {"strict_paths", &LimitSettings::strict_paths, {},
     "Refuse (400), as nginx does, a path that leads above its root, and one with a NUL or a \"%\" "
     "without two hexadecimal digits. false: replicas get such a path as it came. Of an nginx.conf "
     "it is true."},
};

const Key http2_keys[] = {
    {"max_concurrent_streams", &Http2Settings::max_concurrent_streams, {1, 10'000},
     "Requests and websockets of one connection at a time."},
    {"window", &Http2Settings::window, {64 * kib, 16 * mib},
     "How much of one request's body may be on its way before its replica has taken it. Until a "
     "replica takes any of it, 16 KiB."},
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

const Key client_timeout_keys[] = {
    {"handshake", &ClientTimeouts::handshake, {1, hour},
     "For the TLS handshake, with the PROXY protocol's header before it."},
    {"head", &ClientTimeouts::head, {1, hour},
     "For a request's head."},
    {"keep_alive", &ClientTimeouts::keep_alive, {1, day},
     "How long an idle connection is kept."},
    {"stall", &ClientTimeouts::stall, {1, day},
     "A body that moves less than 240 bytes a second for so long, either way, is given up."},
    {"drain", &ClientTimeouts::drain, {1, day},
     "How long requests may finish when usher stops. What comes meanwhile is served; near the end "
     "websockets are told to go, one after the other, and nothing more is accepted."},
    {"replaced", &ClientTimeouts::replaced, {1, 7 * day},
     "How long requests and websockets may stay with a process that another one has replaced "
     "(SIGUSR2). In the last third of it websockets are told to go, one after the other."},
};

const Key admin_keys[] = {
    {"address", &AdminSettings::address,
     {.others = "listen bind port host addr url", .reload = Reload::restart},
     "Where health, metrics and the admin API are served, plain http: \"host:port\", or "
     "\"unix:/path\". Beyond loopback the API wants a token. \"\" switches it off."},
    {"token", &AdminSettings::token, {.max = 4096, .check = bearer_token},
     "What a request to /api/ must say as \"Authorization: Bearer …\"; /healthz, /readyz and "
     "/metrics need none. Empty: only clients on this host may use the API."},
    {"token_file", &AdminSettings::token_file, {.example = "\"/run/secrets/usher-admin\"", .is_read = true},
     "A file that holds the token; it is read at the start and at a reload."},
    {"hosts", &AdminSettings::hosts, {.max = 253, .check = admin_host},
     "Further names that clients reach this listener by, as they stand in Host, without a port; "
     "\"*\": any. Its own addresses, the name of this host and loopback need not be named. /metrics "
     "is answered under any name while none is named here."},
};

const Key access_log_keys[] = {
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

const Key log_keys[] = {
    {"access", &LogSettings::access, {.check = file, .others = "access_log"},
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
    {"count_only", &LogSettings::count_only, {.check = url_path},
     "Below these paths a GET that succeeds has no line in [log]'s own access log, and is counted "
     "(usher_access_log_counted_total): files whose names change with their content, of which one "
     "page loads dozens. Those of Open WebUI by default; with an nginx.conf none."},
    {"process", &LogSettings::process, {.check = file, .others = "error_log error stderr"},
     "Where usher's own log goes: \"stderr\", or a file's path."},
    {"level", &LogSettings::level, {},
     "What is worth a line there."},
    {"rotate", &LogSettings::rotate, {0, gib},
     "Log files that have grown to this size are put aside as FILE.1, FILE.2 and so on, and begun "
     "anew. 0: never, as where logrotate does it (SIGUSR1 opens them again)."},
    {"keep", &LogSettings::keep, {1, 1000},
     "How many of those that were put aside are kept."},
    {"file", &LogSettings::files, {},
     "A further access log, for the routes whose access_logs name it."},
};

const Key settings_keys[] = {
    {"workers", &Settings::workers, {.max = 1024, .reload = Reload::restart},
     "Threads that serve; 0: one per CPU."},
    {"user", &Settings::user,
     {.check = user, .example = "\"usher\"", .reload = Reload::restart},
     "Whom usher becomes when it is started as root: \"name\", \"name:group\" or their numbers. A "
     "small process stays root and reads for it what only root may read and these settings name. "
     "Empty: it stays whoever started it."},
    {"state", &Settings::state, {.reload = Reload::restart},
     "A directory for what must survive a restart, such as the self-signed certificate. Empty: "
     "found at start."},
    {"listen", &Settings::listen, {},
     "An address to listen on. None: http on :8088 and https on :8443."},
    {"tls", &Settings::tls, {},
     "Certificates, and how TLS is spoken to clients."},
    {"store", &Settings::store, {.reload = Reload::restart},
     "Where session affinity lives."},
    {"affinity", &Settings::affinity, {.reload = Reload::restart},
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
     "What a peer may send, and how much."},
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
const Table& table_of<ListenSettings>() {
  static const Table table{listen_keys, &usual<ListenSettings>()};
  return table;
}
template <>
const Table& table_of<CertificateSettings>() {
  static const Table table{certificate_keys, &usual<CertificateSettings>()};
  return table;
}
template <>
const Table& table_of<TlsSettings>() {
  static const Table table{tls_keys, &usual<TlsSettings>()};
  return table;
}
template <>
const Table& table_of<StoreSettings>() {
  static const Table table{store_keys, &usual<StoreSettings>()};
  return table;
}
template <>
const Table& table_of<AffinitySettings>() {
  static const Table table{affinity_keys, &usual<AffinitySettings>()};
  return table;
}
template <>
const Table& table_of<ForwardedSettings>() {
  static const Table table{forwarded_keys, &usual<ForwardedSettings>()};
  return table;
}
template <>
const Table& table_of<LimitSettings>() {
  static const Table table{limit_keys, &usual<LimitSettings>()};
  return table;
}
template <>
const Table& table_of<Http2Settings>() {
  static const Table table{http2_keys, &usual<Http2Settings>()};
  return table;
}
template <>
const Table& table_of<ClientTimeouts>() {
  static const Table table{client_timeout_keys, &usual<ClientTimeouts>()};
  return table;
}
template <>
const Table& table_of<AdminSettings>() {
  static const Table table{admin_keys, &usual<AdminSettings>()};
  return table;
}
template <>
const Table& table_of<AccessLogSettings>() {
  static const Table table{access_log_keys, &usual<AccessLogSettings>()};
  return table;
}
template <>
const Table& table_of<LogSettings>() {
  static const Table table{log_keys, &usual<LogSettings>()};
  return table;
}
template <>
const Table& table_of<Settings>() {
  static const Table table{settings_keys, &usual<Settings>()};
  return table;
}

template <>
std::span<const Named<LogLevelName>> names_of() {
  return log_level_names;
}

}  // namespace usher::conf
