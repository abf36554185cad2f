#include "proxy/variables.h"

#include <unistd.h>

#include <array>

#include "base/strings.h"
#include "protocol/cookies.h"
#include "protocol/request_path.h"

namespace usher::proxy {
namespace {

using conf::Variable;

const std::string& host_name() {
  static const std::string name = [] {
    std::array<char, 256> text{};
    return ::gethostname(text.data(), text.size() - 1) == 0 ? std::string(text.data())
                                                            : std::string("usher");
  }();
  return name;
}

std::string_view without_port(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return cut(authority, ':').first;
}

std::string_view argument(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto [pair, rest] = cut(query, '&');
    const auto [key, value] = cut(pair, '=');
    if (value && equals_ignoring_case(key, name)) return *value;
    query = rest.value_or(std::string_view());
  }
  return {};
}

std::string all_of(const protocol::Headers& headers, std::string_view name) {
  std::string all;
  const std::string_view separator = equals_ignoring_case(name, "cookie") ? "; " : ", ";
  for (const protocol::Field& field : headers) {
    if (!equals_ignoring_case(field.name, name)) continue;
    if (!all.empty()) all += separator;
    all += field.value;
  }
  return all;
}

std::string value_of(const conf::TemplatePart& part, const VariableSource& from);

// As it is, whatever characters it has.
std::string plain(const conf::Template& value, const VariableSource& from) {
  std::string text;
  for (const conf::TemplatePart& part : value.parts)
    text += value_of(part, from);
  return text;
}

// The group of a map's expression, a map's variable, or the group of the route's expression.
std::string named(const std::string& name, const VariableSource& from) {
  if (from.groups) {
    const auto& [expression, found] = *from.groups;
    const auto number = parse_decimal<size_t>(name);
    const auto index = number ? number : expression.group(name);
    if (index) return *index < found.size() ? found[*index] : std::string();
  }
  const ValueMap* map = from.maps.find(name);
  if (!map) {
    return from.route.group(name, protocol::path_of_target(from.target), from.authority);
  }
  VariableSource within = from;
  within.groups = nullptr;
  const std::string source = plain(map->source(), within);
  const auto [value, expression] = map->find(source);
  if (!expression) return plain(value, within);
  const MapGroups groups{*expression,
                         expression->groups(source).value_or(std::vector<std::string>())};
  within.groups = &groups;
  return plain(value, within);
}

std::string value_of(const conf::TemplatePart& part, const VariableSource& from) {
  const std::string_view query = cut(from.target, '?').second.value_or(std::string_view());
  switch (part.variable) {
    case Variable::text: return part.text;
    case Variable::host: return to_lower(without_port(from.authority));
    case Variable::http_host: return std::string(from.authority);
    case Variable::scheme: return from.client.secure ? "https" : "http";
    case Variable::https: return from.client.secure ? "on" : "";
    case Variable::request_method: return std::string(from.request.method);
    case Variable::request_uri: return std::string(from.target);
    case Variable::uri: return protocol::path_of_target(from.target);
    case Variable::args: return std::string(query);
    case Variable::is_args: return query.empty() ? "" : "?";
    case Variable::request:
      return std::string(from.request.method)
          .append(" ")
          .append(from.target)
          .append(from.request.minor_version == 0 ? " HTTP/1.0" : " HTTP/1.1");
    case Variable::arg: return std::string(argument(query, part.text));
    case Variable::cookie: {
      const auto values = protocol::cookie_values(from.request.headers, part.text);
      return values.empty() ? std::string() : std::string(values.front());
    }
    case Variable::http: return all_of(from.request.headers, part.text);
    case Variable::request_id: return std::string(from.request_id);
    case Variable::group: return named(part.text, from);
    case Variable::remote_addr: return std::string(from.client_address);
    case Variable::realip_remote_addr: return std::string(from.client.ip_text);
    case Variable::server_port: return std::to_string(from.client.local_port);
    case Variable::server_name: return from.route.host;
    case Variable::hostname: return host_name();
    case Variable::proxy_add_x_forwarded_for:
      return from.forwarding.forwarded_for(from.request.headers, from.client);
    case Variable::status: return from.response ? std::to_string(from.response->status) : "";
    case Variable::upstream_addr: return std::string(from.replica);
    case Variable::upstream_http:
      return from.response ? all_of(from.response->headers, part.text) : std::string();
  }
  return {};
}

void append_encoded(std::string& out, std::string_view value) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  for (const char c : value) {
    const auto octet = static_cast<uint8_t>(c);
    if (octet >= 0x20 && octet != 0x7f) {
      out += c;
    } else {
      out += '%';
      out += hex[octet >> 4];
      out += hex[octet & 15];
    }
  }
}

}  // namespace

std::string expand(const conf::Template& value, const VariableSource& from) {
  std::string expanded;
  for (const conf::TemplatePart& part : value.parts) {
    if (part.variable == Variable::text) {
      expanded += part.text;
    } else {
      append_encoded(expanded, value_of(part, from));
    }
  }
  return expanded;
}

std::string replace_path(const routing::Route& route, std::string_view target) {
  const std::string path = protocol::path_of_target(target);
  const std::string_view rest =
      path.starts_with(route.path) ? std::string_view(path).substr(route.path.size()) : path;
  std::string made = route.rules.replace_path + protocol::escape_path(rest);
  if (const auto query = cut(target, '?').second) made.append("?").append(*query);
  return made;
}

}  // namespace usher::proxy
