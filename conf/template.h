// A text with variables in it, under nginx's names: "https://$host$request_uri". Taken apart once,
// when the settings are read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace usher::conf {

enum class Variable : uint8_t {
  text,  // no variable: the part's text itself
  // of the request, as the client sent it
  host,       // the Host field without its port, in lower case
  http_host,  // the Host field
  scheme,
  https,  // "on", or empty
  request_method,
  request_uri,  // the target, byte for byte
  uri,          // its path, decoded and normalised
  args,         // its query
  is_args,      // "?", if it has one
  request,      // the first line
  arg,          // arg_NAME
  cookie,       // cookie_NAME
  http,         // http_NAME, a field
  request_id,
  server_protocol,  // "HTTP/1.1"
  proxy_host,       // the route's upstream
  group,            // $1 to $9, or by name: of a regular expression; or a map's variable
  // of the connection
  remote_addr,  // the client, where a trusted proxy names it
  realip_remote_addr,
  server_port,
  server_name,  // the route's host
  hostname,
  remote_port,
  remote_user,  // of HTTP's basic authentication, as the client says
  server_addr,
  connection,           // its number in this process
  connection_requests,  // how many of the connection's this one is
  ssl_protocol,
  ssl_cipher,
  ssl_server_name,  // what the client asked for (SNI)
  ssl_client_s_dn,
  ssl_client_verify,          // "SUCCESS", "NONE", or empty without TLS
  proxy_add_x_forwarded_for,  // what X-Forwarded-For tells the replica
  // of the response
  status,
  upstream_addr,
  upstream_http,  // upstream_http_NAME, a field
  sent_http,      // sent_http_NAME, a field
  // of how far it has come
  upstream_status,
  upstream_header_time,    // seconds from the choice of a replica to its head
  upstream_response_time,  // to the end
  request_time,
  request_length,   // the head, as HTTP/1.1 writes it, and the body
  bytes_sent,       // likewise
  body_bytes_sent,  // the body
  gzip_ratio,       // how many times it was longer before usher compressed it: "3.27"
  time_local,
  time_iso8601,
  msec,
  nothing,  // what usher has nothing to say of: nginx's $upstream_cache_status
};

struct TemplatePart {
  Variable variable = Variable::text;
  std::string text;  // what stands there, or the NAME
  friend bool operator==(const TemplatePart&, const TemplatePart&) = default;
};

struct Template {
  std::string source;
  std::vector<TemplatePart> parts;

  bool empty() const { return parts.empty(); }
  bool is_text() const { return source.find('$') == std::string::npos; }
  friend bool operator==(const Template& a, const Template& b) { return a.source == b.source; }
};

// "$name", "${name}" and "$1"; there is no way to write a "$" itself. A name that is no variable's
// may be a map's, or a group of the route's regular expression: check() of the settings knows.
Result<Template> parse_template(std::string_view text);

// What a value is compared with: a text with variables, "~" and a regular expression, or "~*" and
// one that ignores case.
struct Pattern {
  std::string source;
  Template text;  // nothing of an expression

  bool is_expression() const { return source.starts_with('~'); }
  bool ignores_case() const { return source.starts_with("~*"); }
  std::string_view expression() const {
    return std::string_view(source).substr(ignores_case() ? 2 : 1);
  }
  friend bool operator==(const Pattern& a, const Pattern& b) { return a.source == b.source; }
};

// An expression is taken as it is: check() of the settings compiles it.
Result<Pattern> parse_pattern(std::string_view text);

// All names, "http_" for those that go on, for messages.
std::vector<std::string_view> variable_names();
// Is it one of usher's, and so none that a map may take?
bool is_variable(std::string_view name);

// Nothing when such a header may be set or added by a route, else what was expected.
const char* header_to_set(std::string_view name);
const char* header_value(std::string_view text);

// A header that is set or added.
struct HeaderSetting {
  std::string name;
  Template value;
  friend bool operator==(const HeaderSetting&, const HeaderSetting&) = default;
};

}  // namespace usher::conf
