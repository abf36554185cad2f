// What the files, the environment and the flags said: plain data with the built-in defaults. Every
// field's key, bounds and help text is one row in conf/keys.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "conf/template.h"

namespace usher::conf {

using Millis = std::chrono::milliseconds;
using namespace std::chrono_literals;

// Bytes. 0 means "no limit" where the key's help says so.
struct Size {
  uint64_t bytes = 0;
  friend bool operator==(Size, Size) = default;
};

// "host:port", ":port" (every address, IPv4 and IPv6) or "unix:/path", already taken apart.
struct Endpoint {
  std::string host;  // empty: every address
  uint16_t port = 0;
  std::string unix_path;  // not empty: host and port have no meaning
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
std::string to_string(const Endpoint& endpoint);

// An address and how many leading bits count; 4 or 16 bytes. Without any: those who come by a unix
// socket.
struct Cidr {
  std::vector<uint8_t> address;
  uint8_t bits = 0;
  friend bool operator==(const Cidr&, const Cidr&) = default;
};
// "10.0.0.0/8", "unix:"
std::string to_string(const Cidr& cidr);

struct ListenSettings {
  Endpoint address;
  bool tls = false;
  std::vector<std::string> protocols{};  // best first; empty: offered_protocols() knows
  bool redirect_to_https = false;
  bool proxy_protocol = false;
  std::vector<Cidr> trusted{};  // who may speak it; empty: forwarded.trusted
  friend bool operator==(const ListenSettings&, const ListenSettings&) = default;
};

// What such a listener speaks: what was said, else h2 and http/1.1 with TLS, http/1.1 without.
std::vector<std::string> offered_protocols(const ListenSettings& listener);

struct CertificateSettings {
  std::string chain;
  std::string key;
  friend bool operator==(const CertificateSettings&, const CertificateSettings&) = default;
};

struct TlsSettings {
  std::string min_version = "1.2";  // "1.2" or "1.3"
  std::string ciphers;              // OpenSSL's names; empty: Mozilla's intermediate profile
  std::string ciphersuites;
  bool prefer_server_ciphers = true;
  std::string groups = "X25519:P-256:P-384";  // for the key exchange
  std::string unknown_name = "default";       // "default", "misdirected" or "refuse"
  bool session_tickets = true;
  Millis ticket_rotate = 4h;
  uint32_t session_cache = 0;  // sessions kept in memory where there are no tickets; 0: none
  std::string dh_parameters;   // PEM file; empty: a group as strong as the certificate's key
  bool ocsp_stapling = true;
  std::string client_certificate = "none";  // "none", "request" or "require"
  std::string client_ca;                    // PEM file
  std::string trusted_ca;                   // PEM file: further ones, that clients are not told of
  uint32_t client_verify_depth = 100;       // intermediate certificates of a client's chain
  std::vector<CertificateSettings> certificates;
  friend bool operator==(const TlsSettings&, const TlsSettings&) = default;
};

enum class StoreKind : uint8_t {
  memory,
  redis,     // one server
  sentinel,  // the master that the Sentinels know under `service`
  cluster,   // Redis Cluster; the servers named are where its map is asked for first
};

// store.url, taken apart.
struct StoreUrl {
  StoreKind kind = StoreKind::memory;
  bool tls = false;
  std::vector<Endpoint> servers;  // one; of Sentinels and of a cluster as many as are named
  std::string user;
  std::string password;
  std::string service;  // Sentinel's name for the master and its replicas
  uint32_t database = 0;
  friend bool operator==(const StoreUrl&, const StoreUrl&) = default;
};
// Without the password.
std::string to_string(const StoreUrl& url);

struct StoreSettings {
  StoreUrl url;
  std::string url_file;  // what it holds is the URL; it has been read when settings are loaded
  std::string prefix = "usher";
  Millis timeout = 250ms;
  Size memory{64 * 1024 * 1024};  // of "memory:"
  std::string ca;  // PEM files; empty: the system's authorities, and no certificate of our own
  std::string cert;
  std::string key;
  friend bool operator==(const StoreSettings&, const StoreSettings&) = default;
};

struct AffinitySettings {
  std::string cookie = "usher";
  std::string same_site = "lax";  // or "none": in a frame of another site, too
  std::string secret;             // empty: made once and shared through the store
  std::string secret_file;        // what it holds is the secret, as with store.url_file
  Millis rotate = 24h * 30;       // 0: never by itself
  Millis idle = 24h;
  friend bool operator==(const AffinitySettings&, const AffinitySettings&) = default;
};

enum class Balance : uint8_t { least_connections, round_robin, random_two, rendezvous };

struct HealthSettings {
  std::string path = "/ready";
  Millis interval = 2s;
  Millis timeout = 5s;
  uint32_t fall = 3;
  uint32_t rise = 2;
  bool any_answer = false;
  uint32_t panic = 50;  // percent of those that live: when more are not ready, that is no reason
  Millis start = 1min;  // how long one that came up may not be ready and counts as starting
  std::string host;     // that probes ask for; empty: the one that requests get
  bool active = true;   // false: nobody is asked unless a request has found it down
  friend bool operator==(const HealthSettings&, const HealthSettings&) = default;
};

struct UpstreamTimeouts {
  Millis connect = 3s;
  Millis send = 5min;
  Millis first_byte = 30min;
  Millis between_bytes = 30min;
  Millis keep_alive = 4s;
  Millis tunnel_idle = 1h;
  friend bool operator==(const UpstreamTimeouts&, const UpstreamTimeouts&) = default;
};

// "https://b:8443 weight=2", already taken apart.
struct ReplicaSettings {
  Endpoint address;
  uint32_t weight = 1;  // its share of new clients, against the weights of the others
  bool tls = false;
  bool backup = false;  // takes clients only when no other replica does
  friend bool operator==(const ReplicaSettings&, const ReplicaSettings&) = default;
};
std::string to_string(const ReplicaSettings& replica);

struct UpstreamSettings {
  std::string name = "open-webui";
  std::vector<ReplicaSettings> replicas{
      {.address = {.host = "127.0.0.1", .port = 8080, .unix_path = {}}}};
  Millis resolve = 5s;
  std::vector<std::string> nameservers;  // "127.0.0.11" or "[::1]:5353"; empty: the system's
  std::string addresses = "any";         // of a name: "any", "ipv4" or "ipv6"
  Balance balance = Balance::least_connections;
  Millis slow_start = 10s;           // 0: a newcomer takes its whole share at once
  uint32_t max_connections = 0;      // of this node to one replica; 0: no limit
  uint32_t idle_connections = 256;   // that a worker keeps to one replica
  uint32_t connection_requests = 0;  // that one of them carries; 0: no limit
  uint32_t queue = 1000;             // requests of this node that may wait for one replica
  Millis queue_timeout = 5s;
  std::string versions = "newest";  // where new clients go when versions differ; or "any"
  bool tls_verify = true;  // false: an https replica is believed to be who it is asked to be
  std::string tls_name;    // that their certificates must have; empty: the one in the address
  std::string ca;          // who may sign certificates of https replicas; empty: the system
  uint32_t rebalance = 0;  // clients a second that move to a replica which has joined; 0: none
  Millis drain = 10min;  // how long clients may stay at a draining replica; 0: as long as they like
  std::vector<std::string> socketio{"/ws/socket.io/", "/socket.io/"};
  bool migrate = true;
  // Socket.IO events that may be said to two replicas.
  std::vector<std::string> replay{"user-join", "join-channels",      "heartbeat",
                                  "usage",     "ydoc:document:join", "ydoc:document:state"};
  Millis quiet = 3s;            // a silence in which a session may leave a draining replica
  Millis hold = 5s;             // how long a GET waits for a replica
  Millis park = 15min;          // how long a websocket waits for a replica
  uint32_t migrate_rate = 200;  // websockets a second that this node moves to one replica
  HealthSettings health;
  UpstreamTimeouts timeouts;
  friend bool operator==(const UpstreamSettings&, const UpstreamSettings&) = default;
};

// What a route sets anew for its own requests. 0: as the upstream has it.
struct RouteTimeouts {
  Millis connect{0};
  Millis send{0};
  Millis first_byte{0};
  Millis between_bytes{0};
  Millis tunnel_idle{0};
  friend bool operator==(const RouteTimeouts&, const RouteTimeouts&) = default;
};
// The upstream's, but for what the route sets.
UpstreamTimeouts merge(UpstreamTimeouts of_upstream, const RouteTimeouts& of_route);

// "10r/s", "30r/m".
struct Rate {
  uint32_t requests = 0;
  bool a_minute = false;  // else a second

  // Of a request a second, rounded down as nginx does.
  uint64_t thousandths() const { return uint64_t{requests} * 1000 / (a_minute ? 60 : 1); }
  friend bool operator==(const Rate&, const Rate&) = default;
};
std::string to_string(const Rate& rate);

inline constexpr Size usual_zone{10 * 1024 * 1024};

// A leaky bucket for each value of the key, of all workers together.
struct RateZoneSettings {
  std::string name;
  Template key{"$remote_addr", {{Variable::remote_addr, {}}}};
  Rate rate;
  Size size = usual_zone;
  friend bool operator==(const RateZoneSettings&, const RateZoneSettings&) = default;
};

// How many requests and websockets each value of the key has under way.
struct ConnectionZoneSettings {
  std::string name;
  Template key{"$remote_addr", {{Variable::remote_addr, {}}}};
  Size size = usual_zone;
  friend bool operator==(const ConnectionZoneSettings&, const ConnectionZoneSettings&) = default;
};

// What a route takes of a zone: so many requests may be ahead of its rate. Those that are further
// ahead than `delay` wait until they no longer are.
struct RateLimitSettings {
  std::string zone;
  uint32_t burst = 0;
  uint32_t delay = 0;
  bool nodelay = false;  // none waits
  friend bool operator==(const RateLimitSettings&, const RateLimitSettings&) = default;
};
std::string to_string(const RateLimitSettings& limit);

struct ConnectionLimitSettings {
  std::string zone;
  uint32_t most = 1;  // for each value of the key
  friend bool operator==(const ConnectionLimitSettings&, const ConnectionLimitSettings&) = default;
};
std::string to_string(const ConnectionLimitSettings& limit);

// HTTP Basic authentication (RFC 7617). Without a file there is none.
struct BasicAuthSettings {
  Template realm;  // where it comes to "off", no password is asked for
  std::string file;
  friend bool operator==(const BasicAuthSettings&, const BasicAuthSettings&) = default;
};

enum class Satisfy : uint8_t { all, any };

// One way to put what a replica says in other words.
struct RewriteSettings {
  Pattern from;
  Template to;
  friend bool operator==(const RewriteSettings&, const RewriteSettings&) = default;
};

// What becomes of a cookie's attributes; nothing: what it is.
struct CookieFlags {
  std::string cookie;  // its name, or "~" and a regular expression that ignores case
  std::optional<bool> secure;
  std::optional<bool> http_only;
  std::optional<std::string> same_site;  // "strict", "lax" or "none"; empty: it goes
  friend bool operator==(const CookieFlags&, const CookieFlags&) = default;
};
std::string to_string(const CookieFlags& flags);

// Responses that go out gzipped to clients that take it. Without types there are none.
struct CompressionSettings {
  std::vector<std::string> types;  // media types without parameters, in lower case; "*": all
  uint32_t level = 1;              // zlib's
  Size min_length{20};             // of bodies whose length is known
  bool vary = true;
  std::vector<std::string> proxied{"any"};  // for requests with Via; empty: none of them
  friend bool operator==(const CompressionSettings&, const CompressionSettings&) = default;
};

// What of a request's fields a route passes on whose names have other characters than letters,
// digits and "-": servers behind it may take them for those that have "-" there.
enum class OddHeaders : uint8_t {
  pass,
  underscores,  // "_" alone
  drop,
};

// Whom a route believes in the place of those whom [forwarded] names.
struct TrustSettings {
  std::vector<Cidr> trusted{};
  bool nobody = false;  // empty, and yet in their place
  std::string client_header = "X-Forwarded-For";
  bool recursive = true;

  bool given() const { return nobody || !trusted.empty(); }
  friend bool operator==(const TrustSettings&, const TrustSettings&) = default;
};

enum class PathMatch : uint8_t {
  segments,  // whole segments at the path's beginning
  prefix,
  prefix_first,  // and no regular expression is asked when it is the longest
  exact,
  regex,
  regex_ignoring_case,
  named,  // for no path of a client's: try_files of another route leads here
};

// What the endings of files say of their types, for the routes that name it.
struct TypesSettings {
  std::string name;
  std::vector<std::string> entries;  // "text/html html htm"
  friend bool operator==(const TypesSettings&, const TypesSettings&) = default;
};

// What a route does with a request. Exactly one of upstream, redirect, status, root, alias and
// stub_status is set.
struct RouteSettings {
  std::string host = "*";          // "*", "chat.example.org", "*.example.org", "chat.*" or "~regex"
  std::vector<std::string> hosts;  // not empty: these, instead of host
  std::vector<uint16_t> ports;     // of the listeners; empty: all
  std::vector<Endpoint> listen;    // the addresses of the listeners; empty: all
  std::string path = "/";
  PathMatch match = PathMatch::segments;
  std::string upstream;
  Template redirect;
  uint16_t redirect_status = 302;
  uint16_t status = 0;
  Template body;
  std::string content_type = "text/plain";
  Template root;   // a folder whose files are the answer
  Template alias;  // the same, with the route's path taken off; of an expression the whole file
  std::vector<Template> index{{"index.html", {{Variable::text, "index.html"}}}};
  std::vector<Template> try_files;  // the last one is what is done where none is found
  std::string types;                // a name; empty: those that browsers need
  bool etag = true;
  bool stub_status = false;
  std::string replace_path;
  OddHeaders odd_headers = OddHeaders::pass;
  std::vector<HeaderSetting> set_headers;
  bool request_trailers = false;
  std::vector<HeaderSetting> add_headers;
  std::vector<HeaderSetting> add_headers_on_success;
  std::vector<std::string> remove_headers;
  std::vector<RewriteSettings> rewrite_location;
  std::vector<RewriteSettings> rewrite_cookie_domain;
  std::vector<RewriteSettings> rewrite_cookie_path;
  std::vector<CookieFlags> cookie_flags;
  std::vector<Cidr> allow;
  std::vector<Cidr> deny;
  TrustSettings forwarded;
  Satisfy satisfy = Satisfy::all;
  std::vector<RateLimitSettings> rate_limits;
  uint16_t rate_limit_status = 429;
  std::vector<ConnectionLimitSettings> connection_limits;
  uint16_t connection_limit_status = 429;
  bool access_log = true;
  std::vector<std::string> access_logs;  // names; empty: [log]'s own
  Size max_body;                         // 0: no limit
  BasicAuthSettings basic_auth;
  uint32_t attempts = 0;              // 0: one more than there are replicas, five at most
  std::vector<std::string> retry_on;  // "timeout", "invalid_response", "503": another one is asked
  CompressionSettings compression;
  RouteTimeouts timeouts;
  friend bool operator==(const RouteSettings&, const RouteSettings&) = default;
};

// What a map's variable is for one value of its source.
struct MapEntry {
  std::string match;  // a text, "~regex", "~*regex" that ignores case; of hostnames "*.name" too
  Template value;
  friend bool operator==(const MapEntry&, const MapEntry&) = default;
};

// A variable that follows from others, as nginx's map does.
struct MapSettings {
  std::string name;  // without "$"
  Template source;
  Template otherwise;  // where nothing matches
  bool hostnames = false;
  std::vector<MapEntry> entries;
  friend bool operator==(const MapSettings&, const MapSettings&) = default;
};

struct ForwardedSettings {
  std::vector<Cidr> trusted;
  std::string client_header = "X-Forwarded-For";  // where they say who the client is
  bool recursive = true;  // false: the last address there is the client, trusted or not
  std::vector<std::string> strip_also;  // besides those in `strip`
  // Identity headers that no client may set (open-webui: WEBUI_AUTH_TRUSTED_*_HEADER).
  std::vector<std::string> strip{"X-Forwarded-Email",
                                 "X-Forwarded-User",
                                 "X-Forwarded-Groups",
                                 "X-Forwarded-Preferred-Username",
                                 "X-User-Email",
                                 "X-User-Name",
                                 "X-User-Role",
                                 "X-User-Groups",
                                 "X-Auth-Request-Email",
                                 "X-Auth-Request-User",
                                 "X-Auth-Request-Groups",
                                 "X-Auth-Request-Preferred-Username",
                                 "X-Authentik-Email",
                                 "X-Authentik-Name",
                                 "X-Authentik-Username",
                                 "X-Authentik-Groups",
                                 "Remote-User",
                                 "Remote-Email",
                                 "Remote-Name",
                                 "Remote-Groups",
                                 "Tailscale-User-Login",
                                 "Tailscale-User-Name",
                                 "Cf-Access-Authenticated-User-Email"};
  friend bool operator==(const ForwardedSettings&, const ForwardedSettings&) = default;
};

struct LimitSettings {
  Size head{64 * 1024};
  Size response_head{128 * 1024};
  uint32_t connections = 0;          // per client address; 0: no limit
  uint32_t sids = 10'000;            // likewise, in the store by this node; 0: no limit
  uint32_t connection_requests = 0;  // that one of them carries; 0: no limit
  uint32_t handshakes = 4096;        // in progress at a time; 0: no limit
  bool strict_paths = false;         // true: paths that nginx refuses are refused
  friend bool operator==(const LimitSettings&, const LimitSettings&) = default;
};

// Of one HTTP/2 connection. Floods are counted over ten seconds.
struct Http2Settings {
  uint32_t max_concurrent_streams = 128;
  Size window{128 * 1024};  // of one stream's body
  bool extended_connect = true;
  uint32_t max_resets = 200;
  uint32_t max_control_frames = 2000;
  friend bool operator==(const Http2Settings&, const Http2Settings&) = default;
};

struct ClientTimeouts {
  Millis handshake = 10s;
  Millis head = 15s;
  Millis keep_alive = 75s;
  Millis stall = 60s;
  Millis drain = 30s;
  Millis replaced = 1h;
  friend bool operator==(const ClientTimeouts&, const ClientTimeouts&) = default;
};

struct AdminSettings {
  // Nothing: there is none.
  std::optional<Endpoint> address{Endpoint{.host = "127.0.0.1", .port = 9180, .unix_path = {}}};
  std::string token;               // empty: only this host may use the API
  std::string token_file;          // where the token is read from
  std::vector<std::string> hosts;  // further names of this listener in Host; "*": any
  friend bool operator==(const AdminSettings&, const AdminSettings&) = default;
};

enum class LogLevelName : uint8_t { debug, info, warning, error };

// A further access log, for the routes that name it.
struct AccessLogSettings {
  std::string name;
  std::string access = "stdout";                        // "stdout", "off" or a path
  Template format{"json", {{Variable::text, "json"}}};  // "json", "combined" or a text
  std::string escape = "default";                       // "default", "json" or "none"
  Template when;                                        // empty: always
  friend bool operator==(const AccessLogSettings&, const AccessLogSettings&) = default;
};

struct LogSettings {
  std::string access = "stdout";
  Template format = AccessLogSettings().format;
  std::string escape = "default";
  Template when;
  std::vector<std::string> count_only{"/_app/immutable/"};  // paths; of [log]'s own access log
  std::string process = "stderr";                           // or a path
  LogLevelName level = LogLevelName::info;
  Size rotate{0};  // a file that has grown so large; 0: never
  uint32_t keep = 4;
  std::vector<AccessLogSettings> files;
  friend bool operator==(const LogSettings&, const LogSettings&) = default;
};

struct Settings {
  uint32_t workers = 0;  // 0: one per CPU
  std::string state;     // directory; empty: found at start (docs/operations.md)
  std::string user;      // "name", "name:group" or numbers; empty: whoever started the process
  std::vector<ListenSettings> listen;
  TlsSettings tls;
  StoreSettings store;
  AffinitySettings affinity;
  std::vector<UpstreamSettings> upstreams;
  std::vector<RateZoneSettings> rate_zones;
  std::vector<ConnectionZoneSettings> connection_zones;
  std::vector<RouteSettings> routes;
  std::vector<TypesSettings> types;
  std::vector<MapSettings> maps;
  ForwardedSettings forwarded;
  LimitSettings limits;
  Http2Settings http2;
  ClientTimeouts timeouts;
  AdminSettings admin;
  LogSettings log;
  friend bool operator==(const Settings&, const Settings&) = default;
};

// What [log] says of the access log, under the name that routes may call it by.
inline constexpr std::string_view main_access_log = "main";
std::vector<AccessLogSettings> access_logs(const LogSettings& settings);

// Does any text have that variable?
bool mentions(const Settings& settings, Variable variable);

// A file without [[listen]], [[upstream]] or [[route]] is given the built-in ones: http on :8088
// and https on :8443, Open WebUI on 127.0.0.1:8080 unless no route leads to a replica, and one
// route for everything to the first upstream.
void fill_in(Settings& settings);
// Settings when nothing at all was said.
Settings built_in_settings();

}  // namespace usher::conf
