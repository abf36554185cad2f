#include "conf/template.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

struct NamedVariable {
  std::string_view name;
  Variable variable;
};

constexpr NamedVariable names[] = {
    {"host", Variable::host},
    {"http_host", Variable::http_host},
    {"scheme", Variable::scheme},
    {"https", Variable::https},
    {"request_method", Variable::request_method},
    {"request_uri", Variable::request_uri},
    {"uri", Variable::uri},
    {"document_uri", Variable::uri},
    {"args", Variable::args},
    {"query_string", Variable::args},
    {"is_args", Variable::is_args},
    {"request", Variable::request},
    {"request_id", Variable::request_id},
    {"remote_addr", Variable::remote_addr},
    {"binary_remote_addr", Variable::remote_addr},  // only to be shorter
    {"realip_remote_addr", Variable::realip_remote_addr},
    {"server_port", Variable::server_port},
    {"server_name", Variable::server_name},
    {"hostname", Variable::hostname},
    {"proxy_add_x_forwarded_for", Variable::proxy_add_x_forwarded_for},
    {"server_protocol", Variable::server_protocol},
    {"proxy_host", Variable::proxy_host},
    {"remote_port", Variable::remote_port},
    {"remote_user", Variable::remote_user},
    {"server_addr", Variable::server_addr},
    {"connection", Variable::connection},
    {"connection_requests", Variable::connection_requests},
    {"ssl_protocol", Variable::ssl_protocol},
    {"ssl_cipher", Variable::ssl_cipher},
    {"ssl_server_name", Variable::ssl_server_name},
    {"ssl_client_s_dn", Variable::ssl_client_s_dn},
    {"ssl_client_verify", Variable::ssl_client_verify},
    {"status", Variable::status},
    {"upstream_addr", Variable::upstream_addr},
    {"upstream_status", Variable::upstream_status},
    {"upstream_header_time", Variable::upstream_header_time},
    {"upstream_response_time", Variable::upstream_response_time},
    {"request_time", Variable::request_time},
    {"request_length", Variable::request_length},
    {"bytes_sent", Variable::bytes_sent},
    {"body_bytes_sent", Variable::body_bytes_sent},
    {"time_local", Variable::time_local},
    {"time_iso8601", Variable::time_iso8601},
    {"msec", Variable::msec},
    {"upstream_cache_status", Variable::nothing},
    {"gzip_ratio", Variable::gzip_ratio},
};
constexpr NamedVariable prefixes[] = {
    {"arg_", Variable::arg},
    {"cookie_", Variable::cookie},
    {"http_", Variable::http},
    {"upstream_http_", Variable::upstream_http},
    {"sent_http_", Variable::sent_http},
};

TemplatePart part_of(std::string_view name) {
  if (name == "content_type") return {Variable::http, "content-type"};
  if (name == "content_length") return {Variable::http, "content-length"};
  for (const NamedVariable& known : names) {
    if (known.name == name) return {known.variable, {}};
  }
  for (const NamedVariable& known : prefixes) {
    if (!name.starts_with(known.name) || name.size() == known.name.size()) continue;
    std::string rest(name.substr(known.name.size()));
    const bool field = known.variable != Variable::arg && known.variable != Variable::cookie;
    if (field) std::replace(rest.begin(), rest.end(), '_', '-');
    return {known.variable, std::move(rest)};
  }
  return {Variable::group, std::string(name)};
}

// The name that begins the text and what it takes up there; nothing when there is none.
std::optional<std::pair<std::string_view, size_t>> name_at(std::string_view text) {
  const auto is_part = [](char c) { return is_alpha(c) || is_digit(c) || c == '_'; };
  if (!text.empty() && is_digit(text.front())) {
    return text.front() == '0' ? std::nullopt
                               : std::optional(std::pair(text.substr(0, 1), size_t{1}));
  }
  const bool braces = text.starts_with('{');
  if (braces) text.remove_prefix(1);
  const auto* end = std::find_if_not(text.begin(), text.end(), is_part);
  const auto size = static_cast<size_t>(end - text.begin());
  if (size == 0 || (braces && (size == text.size() || text[size] != '}'))) return std::nullopt;
  return std::pair(text.substr(0, size), size + (braces ? 2 : 0));
}

}  // namespace

Result<Template> parse_template(std::string_view text) {
  Template made{std::string(text), {}};
  while (!text.empty()) {
    const size_t dollar = std::min(text.find('$'), text.size());
    if (dollar > 0) made.parts.push_back({Variable::text, std::string(text.substr(0, dollar))});
    text.remove_prefix(dollar);
    if (text.empty()) break;
    const auto name = name_at(text.substr(1));
    if (!name) return unexpected("a variable's name after \"$\"", in_quotes(text));
    made.parts.push_back(part_of(name->first));
    text.remove_prefix(1 + name->second);
  }
  return made;
}

Result<Pattern> parse_pattern(std::string_view text) {
  Pattern made{std::string(text), {}};
  if (made.is_expression()) return made;
  auto parsed = parse_template(text);
  if (!parsed) return std::move(parsed).error();
  made.text = *std::move(parsed);
  return made;
}

std::vector<std::string_view> variable_names() {
  std::vector<std::string_view> all;
  for (const NamedVariable& known : names)
    all.push_back(known.name);
  for (const NamedVariable& known : prefixes)
    all.push_back(known.name);
  return all;
}

bool is_variable(std::string_view name) { return part_of(name).variable != Variable::group; }

const char* header_to_set(std::string_view name) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";  // RFC 9110 section 5.6.2
  constexpr std::string_view of_connections[] = {
      "connection", "keep-alive",       "upgrade",           "te",
      "trailer",    "proxy-connection", "transfer-encoding", "content-length"};
  if (!is_identifier(name, marks)) return R"(a header's name such as "X-Name")";
  const bool ours =
      std::any_of(std::begin(of_connections), std::end(of_connections),
                  [name](std::string_view taken) { return equals_ignoring_case(taken, name); });
  return ours ? "a header that is not of one connection: usher sets this one itself" : nullptr;
}

const char* header_value(std::string_view text) {
  const bool good = std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
  return good ? nullptr : "a value on one line, without control characters";
}

}  // namespace usher::conf
