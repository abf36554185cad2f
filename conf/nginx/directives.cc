#include "conf/nginx/directives.h"

#include <algorithm>
#include <string>
#include <vector>

#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

constexpr uint8_t any = 255;
constexpr uint8_t web = in_http | in_server | in_location;
constexpr uint8_t web_if = web | in_if;
constexpr uint8_t sites = in_http | in_server;
constexpr auto accepted = Meaning::accepted;
constexpr auto not_served = Meaning::not_served;

// Why a directive has no effect.
constexpr std::string_view processes = "usher has threads, and its own way to be started";
constexpr std::string_view sockets = "files and sockets are read and written in usher's own way";
constexpr std::string_view tables = "tables and zones have the size that they need";
constexpr std::string_view unbuffered = "nothing is buffered: each piece goes on at once";
constexpr std::string_view uncached = "nothing is cached";
constexpr std::string_view own_gzip =
    "a client of HTTP/1.1 or later that accepts gzip is given it, made when it is asked for, with "
    "zlib's buffers; what a replica has compressed passes as it is";
constexpr std::string_view own_tls = "TLS is of one kind for all: [tls]";
constexpr std::string_view replica_tls = "TLS to replicas is 1.2 or 1.3, with OpenSSL's defaults";
constexpr std::string_view kept_open =
    "connections are kept while they are used, on both sides, and those to replicas speak HTTP/1.1";
constexpr std::string_view resolved = "names are known before a request needs them: none waits";
constexpr std::string_view redirects = "a redirect to a path stays a path";
constexpr std::string_view parsing =
    "requests are read strictly (docs/http.md), and paths compared without \"//\"";
constexpr std::string_view logging =
    "the access log has a line for each request, and error_log one level";
constexpr std::string_view of_files =
    "a file has its Last-Modified, which is compared exactly, and a type without a charset";
constexpr std::string_view anonymous = "no version is told; Server is the replica's own";
constexpr std::string_view verified = "what a responder says is verified in any case";
constexpr std::string_view no_quic = "QUIC is not spoken: clients use TCP";
constexpr std::string_view streams = "[http2] says how many streams a connection has";
constexpr std::string_view again = "attempts are counted, not timed";
constexpr std::string_view client_left = "a request ends with its client";
constexpr std::string_view unhidden =
    "every header of a replica passes but those of proxy_hide_header, and X-Accel-* have no effect";
constexpr std::string_view own_pages = "a replica's own pages pass as they are";

// clang-format off
constexpr Row rows[] = {
    // blocks
    {"events", in_main, 0, 0, {}, {}, true},
    {"http", in_main, 0, 0, {}, {}, true},
    {"server", in_http | in_upstream, 0, any, {}, {}, true},
    {"upstream", in_http, 1, 1, {}, {}, true},
    {"location", in_server | in_location, 1, 2, {}, {}, true},
    {"map", in_http, 2, 2, {}, {}, true, true},
    {"types", web, 0, 0, {}, {}, true, true},
    {"if", in_server | in_location, 1, any, {}, {}, true},
    {"stream", in_main, 0, 0, not_served, "usher carries HTTP and websockets", true, true},
    {"mail", in_main, 0, 0, not_served, "usher carries HTTP and websockets", true, true},
    {"geo", in_http, 1, 2, not_served, "a route has allow and deny", true, true},
    {"split_clients", in_http, 2, 2, not_served, "replicas have weights", true, true},
    {"limit_except", in_location, 1, any, not_served, "a route does not look at methods", true, true},
    // servers
    {"listen", in_server, 1, any},
    {"server_name", in_server, 1, any},
    {"http2", sites, 1, 1},
    {"client_max_body_size", web, 1, 1},
    {"large_client_header_buffers", sites, 2, 2},
    {"keepalive_timeout", web | in_upstream, 1, 2},
    {"keepalive_requests", web | in_upstream, 1, 1},
    {"client_header_timeout", sites, 1, 1},
    {"client_body_timeout", web, 1, 1},
    {"send_timeout", web, 1, 1},
    {"ssl_certificate", sites, 1, 1},
    {"ssl_certificate_key", sites, 1, 1},
    {"ssl_protocols", sites, 1, any},
    {"ssl_session_tickets", sites, 1, 1},
    {"ssl_session_timeout", sites, 1, 1},
    {"ssl_session_cache", sites, 1, 2},
    {"ssl_ciphers", sites, 1, 1},
    {"ssl_dhparam", sites, 1, 1},
    {"ssl_stapling", sites, 1, 1},
    {"ssl_ecdh_curve", sites, 1, 1},
    {"ssl_prefer_server_ciphers", sites, 1, 1},
    {"ssl_client_certificate", sites, 1, 1},
    {"ssl_verify_client", sites, 1, 1},
    {"ssl_trusted_certificate", sites, 1, 1},
    {"ssl_verify_depth", sites, 1, 1},
    {"set_real_ip_from", web, 1, 1},
    {"real_ip_header", web, 1, 1},
    {"real_ip_recursive", web, 1, 1},
    {"access_log", web_if, 1, any},
    {"log_format", in_http, 2, any},
    {"error_log", in_main | web, 1, 2},
    // answers
    {"return", in_server | in_location | in_if, 1, 2},
    {"stub_status", in_server | in_location, 0, 1},
    {"set", in_server | in_location | in_if, 2, 2},
    {"default_type", web, 1, 1},
    {"add_header", web_if, 2, 3},
    {"expires", web_if, 1, 2},
    {"gzip", web_if, 1, 1},
    {"gzip_types", web, 1, any},
    {"gzip_vary", web, 1, 1},
    {"gzip_proxied", web, 1, any},
    {"gzip_comp_level", web, 1, 1},
    {"gzip_min_length", web, 1, 1},
    {"allow", web, 1, 1},
    {"deny", web, 1, 1},
    {"satisfy", web, 1, 1},
    {"auth_basic", web, 1, 1},
    {"auth_basic_user_file", web, 1, 1},
    {"limit_req_zone", in_http, 2, any},
    {"limit_req", web, 1, any},
    {"limit_req_status", web, 1, 1},
    {"limit_conn_zone", in_http, 2, 2},
    {"limit_conn", web, 2, 2},
    {"limit_conn_status", web, 1, 1},
    {"error_page", web_if, 2, any},
    {"root", web_if, 1, 1},
    {"alias", in_location, 1, 1},
    {"index", web, 1, any},
    {"try_files", in_server | in_location, 2, any},
    {"etag", web, 1, 1},
    // replicas
    {"least_conn", in_upstream, 0, 0},
    {"ip_hash", in_upstream, 0, 0},
    {"hash", in_upstream, 1, 2},
    {"random", in_upstream, 0, any},
    {"keepalive", in_upstream, 1, 2},
    {"resolver", web | in_upstream, 1, any},
    {"proxy_pass", in_location | in_if, 1, 1},
    {"proxy_set_header", web, 2, 2},
    {"proxy_hide_header", web, 1, 1},
    {"proxy_pass_header", web, 1, 1},
    {"proxy_connect_timeout", web, 1, 1},
    {"proxy_read_timeout", web, 1, 1},
    // without effect
    {"user", in_main, 1, 2},
    {"pid", in_main, 1, 1, accepted, processes},
    {"daemon", in_main, 1, 1, accepted, processes},
    {"master_process", in_main, 1, 1, accepted, processes},
    {"worker_processes", in_main, 1, 1, accepted, processes},
    {"worker_rlimit_nofile", in_main, 1, 1, accepted, processes},
    {"worker_shutdown_timeout", in_main, 1, 1, accepted, processes},
    {"worker_priority", in_main, 1, 1, accepted, processes},
    {"worker_cpu_affinity", in_main, 1, any, accepted, processes},
    {"load_module", in_main, 1, 1, accepted, processes},
    {"pcre_jit", in_main, 1, 1, accepted, processes},
    {"worker_connections", in_events, 1, 1, accepted, processes},
    {"use", in_events, 1, 1, accepted, processes},
    {"multi_accept", in_events, 1, 1, accepted, processes},
    {"accept_mutex", in_events, 1, 1, accepted, processes},
    {"sendfile", web_if, 1, 1, accepted, sockets},
    {"sendfile_max_chunk", web, 1, 1, accepted, sockets},
    {"tcp_nopush", web, 1, 1, accepted, sockets},
    {"tcp_nodelay", web, 1, 1, accepted, sockets},
    {"aio", web, 1, 1, accepted, sockets},
    {"directio", web, 1, 1, accepted, sockets},
    {"output_buffers", web, 2, 2, accepted, sockets},
    {"postpone_output", web, 1, 1, accepted, sockets},
    {"open_file_cache", web, 1, 2, accepted, sockets},
    {"open_file_cache_valid", web, 1, 1, accepted, sockets},
    {"open_file_cache_min_uses", web, 1, 1, accepted, sockets},
    {"open_file_cache_errors", web, 1, 1, accepted, sockets},
    {"types_hash_max_size", web, 1, 1, accepted, tables},
    {"types_hash_bucket_size", web, 1, 1, accepted, tables},
    {"server_names_hash_bucket_size", in_http, 1, 1, accepted, tables},
    {"server_names_hash_max_size", in_http, 1, 1, accepted, tables},
    {"map_hash_bucket_size", in_http, 1, 1, accepted, tables},
    {"map_hash_max_size", in_http, 1, 1, accepted, tables},
    {"variables_hash_max_size", in_http, 1, 1, accepted, tables},
    {"variables_hash_bucket_size", in_http, 1, 1, accepted, tables},
    {"client_header_buffer_size", sites, 1, 1, accepted, unbuffered},
    {"client_body_buffer_size", web, 1, 1, accepted, unbuffered},
    {"client_body_temp_path", web, 1, 4, accepted, unbuffered},
    {"client_body_in_file_only", web, 1, 1, accepted, unbuffered},
    {"server_tokens", web, 1, 1, accepted, anonymous},
    {"server_name_in_redirect", web, 1, 1, accepted, redirects},
    {"absolute_redirect", web, 1, 1, accepted, redirects},
    {"port_in_redirect", web, 1, 1, accepted, redirects},
    {"merge_slashes", sites, 1, 1, accepted, parsing},
    {"underscores_in_headers", sites, 1, 1},
    {"ignore_invalid_headers", sites, 1, 1},
    {"chunked_transfer_encoding", web, 1, 1, accepted, unbuffered},
    {"log_not_found", web, 1, 1, accepted, logging},
    {"log_subrequest", web, 1, 1, accepted, logging},
    {"limit_req_log_level", web, 1, 1, accepted, logging},
    {"limit_conn_log_level", web, 1, 1, accepted, logging},
    {"open_log_file_cache", web, 1, any, accepted, logging},
    {"reset_timedout_connection", web, 1, 1, accepted, sockets},
    {"lingering_close", web, 1, 1, accepted, sockets},
    {"lingering_time", web, 1, 1, accepted, sockets},
    {"lingering_timeout", web, 1, 1, accepted, sockets},
    {"keepalive_disable", web, 1, any, accepted, kept_open},
    {"if_modified_since", web, 1, 1, accepted, of_files},
    {"msie_padding", web, 1, 1, accepted, own_pages},
    {"charset", web_if, 1, 1, accepted, of_files},
    {"internal", in_location, 0, 0, not_served, "a route is for requests of clients"},
    {"resolver_timeout", web | in_upstream, 1, 1, accepted, resolved},
    {"http2_max_concurrent_streams", sites, 1, 1, accepted, streams},
    {"http2_recv_buffer_size", in_http, 1, 1, accepted, sockets},
    {"http3", sites, 1, 1, accepted, no_quic},
    {"gzip_buffers", web, 2, 2, accepted, own_gzip},
    {"gzip_http_version", web, 1, 1, accepted, own_gzip},
    {"gzip_disable", web, 1, any, accepted, own_gzip},
    {"gzip_static", web, 1, 1, accepted, own_gzip},
    {"gunzip", web, 1, 1, accepted, own_gzip},
    {"keepalive_time", web | in_upstream, 1, 1, accepted, kept_open},
    {"zone", in_upstream, 1, 2, accepted, tables},
    {"proxy_http_version", web, 1, 1, accepted, kept_open},
    {"proxy_buffering", web, 1, 1, accepted, unbuffered},
    {"proxy_request_buffering", web, 1, 1, accepted, unbuffered},
    {"proxy_buffer_size", web, 1, 1, accepted, unbuffered},
    {"proxy_buffers", web, 2, 2, accepted, unbuffered},
    {"proxy_busy_buffers_size", web, 1, 1, accepted, unbuffered},
    {"proxy_max_temp_file_size", web, 1, 1, accepted, unbuffered},
    {"proxy_temp_file_write_size", web, 1, 1, accepted, unbuffered},
    {"proxy_temp_path", web, 1, 4, accepted, unbuffered},
    {"proxy_socket_keepalive", web, 1, 1, accepted, sockets},
    {"proxy_send_timeout", web, 1, 1},
    {"proxy_next_upstream", web, 1, any},
    {"health_check", in_location, 0, any},
    {"proxy_next_upstream_tries", web, 1, 1},
    {"proxy_next_upstream_timeout", web, 1, 1, accepted, again},
    {"proxy_ignore_client_abort", web, 1, 1, accepted, client_left},
    {"proxy_ignore_headers", web, 1, any, accepted, unhidden},
    {"proxy_pass_request_headers", web, 1, 1},
    {"proxy_pass_request_body", web, 1, 1},
    {"proxy_headers_hash_max_size", web, 1, 1, accepted, tables},
    {"proxy_headers_hash_bucket_size", web, 1, 1, accepted, tables},
    {"proxy_intercept_errors", web, 1, 1, accepted, own_pages},
    {"proxy_redirect", web, 1, 2},
    {"proxy_cookie_path", web, 1, 2},
    {"proxy_cookie_domain", web, 1, 2},
    {"proxy_cookie_flags", web, 1, 4},
    {"proxy_ssl_server_name", web, 1, 1},
    {"proxy_ssl_name", web, 1, 1},
    {"proxy_ssl_protocols", web, 1, any, accepted, replica_tls},
    {"proxy_ssl_ciphers", web, 1, 1, accepted, replica_tls},
    {"proxy_ssl_session_reuse", web, 1, 1, accepted, replica_tls},
    {"proxy_ssl_verify", web, 1, 1},
    {"proxy_ssl_verify_depth", web, 1, 1, accepted, replica_tls},
    {"proxy_ssl_trusted_certificate", web, 1, 1},
    {"proxy_cache", web, 1, 1, accepted, uncached},
    {"proxy_cache_path", in_http, 2, any, accepted, uncached},
    {"proxy_cache_valid", web, 1, any, accepted, uncached},
    {"proxy_cache_key", web, 1, 1, accepted, uncached},
    {"proxy_cache_lock", web, 1, 1, accepted, uncached},
    {"proxy_cache_lock_timeout", web, 1, 1, accepted, uncached},
    {"proxy_cache_use_stale", web, 1, any, accepted, uncached},
    {"proxy_cache_background_update", web, 1, 1, accepted, uncached},
    {"proxy_cache_revalidate", web, 1, 1, accepted, uncached},
    {"proxy_cache_methods", web, 1, any, accepted, uncached},
    {"proxy_cache_min_uses", web, 1, 1, accepted, uncached},
    {"proxy_cache_bypass", web, 1, any, accepted, uncached},
    {"proxy_no_cache", web, 1, any, accepted, uncached},
    {"ssl_conf_command", sites, 2, 2, accepted, own_tls},
    {"ssl_stapling_verify", sites, 1, 1, accepted, verified},
    {"ssl_buffer_size", sites, 1, 1, accepted, sockets},
    {"ssl_early_data", sites, 1, 1, accepted, own_tls},
    // not served
    {"autoindex", web, 1, 1, not_served, "a folder is its index"},
    {"rewrite", in_server | in_location | in_if, 2, 3, not_served,
     "a route has redirect and replace_path"},
    {"break", in_server | in_location | in_if, 0, 0, not_served, "there is no rewrite to end"},
    {"auth_request", web, 1, 1, not_served, "Open WebUI knows OIDC and trusted headers"},
    {"auth_request_set", web, 2, 2, not_served, "Open WebUI knows OIDC and trusted headers"},
    {"limit_rate", web_if, 1, 1, not_served, "a response goes out as fast as its client takes it"},
    {"limit_req_dry_run", web, 1, 1, not_served, "a limit holds, or is left out"},
    {"limit_conn_dry_run", web, 1, 1, not_served, "a limit holds, or is left out"},
    {"sub_filter", web, 2, 2, not_served, "responses pass as they are"},
    {"sub_filter_once", web, 1, 1, not_served, "responses pass as they are"},
    {"sub_filter_types", web, 1, any, not_served, "responses pass as they are"},
    {"mirror", web, 1, 1, not_served, "a request goes to one replica"},
    {"proxy_bind", web, 1, 2, not_served, "the kernel chooses the address"},
    {"fastcgi_pass", in_location | in_if, 1, 1, not_served, "a replica speaks HTTP"},
    {"uwsgi_pass", in_location | in_if, 1, 1, not_served, "a replica speaks HTTP"},
    {"grpc_pass", in_location | in_if, 1, 1, not_served, "a replica speaks HTTP/1.1"},
};
// clang-format on

constexpr bool all_say_why() {
  return std::all_of(std::begin(rows), std::end(rows), [](const Row& row) {
    return row.meaning == Meaning::served || !row.because.empty();
  });
}
static_assert(all_say_why(), "nothing is refused or left without effect for no reason");

bool takes_block(const Row& row, Context context) {
  return row.block && !(row.name == "server" && context == in_upstream);
}

Context inside(const Row& row) {
  if (row.name == "events") return in_events;
  if (row.name == "http") return in_http;
  if (row.name == "server") return in_server;
  if (row.name == "upstream") return in_upstream;
  return row.name == "if" ? in_if : in_location;
}

void check_one(const Directive& directive, Context context, Report& report) {
  const std::string name = in_quotes(directive.name);
  const Row* row = row_of(directive.name);
  if (!row) {
    std::vector<std::string_view> names;
    for (const Row& each : rows)
      names.push_back(each.name);
    return report.not_served(directive.at,
                             "unknown directive " + name + did_you_mean(directive.name, names));
  }
  if ((row->contexts & context) == 0)
    return report.error(directive.at, name + " directive is not allowed here");
  if (takes_block(*row, context) != directive.has_block) {
    return report.error(directive.at, "directive " + name +
                                          (directive.has_block ? " is not terminated by \";\""
                                                               : " has no opening \"{\""));
  }
  if (directive.args.size() < row->least || directive.args.size() > row->most)
    return report.error(directive.at, "invalid number of arguments in " + name + " directive");
  switch (row->meaning) {
    case Meaning::served: break;
    case Meaning::accepted: return report.accepted(directive.name, row->because);
    case Meaning::not_served:
      return report.not_served(directive.at, name + " is not served: " + std::string(row->because));
  }
  if (directive.has_block && !row->free_block)
    check_directives(directive.block, inside(*row), report);
}

}  // namespace

const Row* row_of(std::string_view name) {
  const auto* found = std::find_if(std::begin(rows), std::end(rows),
                                   [&](const Row& row) { return row.name == name; });
  return found == std::end(rows) ? nullptr : found;
}

void check_directives(const std::vector<Directive>& directives, Context context, Report& report) {
  for (const Directive& directive : directives)
    check_one(directive, context, report);
}

}  // namespace usher::conf::nginx
