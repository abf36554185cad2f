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
  group,  // $1 to $9, or by name: of a regular expression; or a map's variable
  // of the connection
  remote_addr,  // the client, where a trusted proxy names it
  realip_remote_addr,
  server_port,
  server_name,  // the route's host
  hostname,
  proxy_add_x_forwarded_for,  // what X-Forwarded-For tells the replica
  // of the response
  status,
  upstream_addr,
  upstream_http,  // upstream_http_NAME, a field
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
