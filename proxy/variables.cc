#include "proxy/variables.h"

#include <unistd.h>

#include <array>
#include <ctime>

#include "base/strings.h"
#include "protocol/basic_credentials.h"
#include "protocol/cookies.h"
#include "protocol/request_path.h"
#include "proxy/requester.h"

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

std::string all_of(std::span<const protocol::Field> fields, std::string_view name) {
  std::string all;
  const std::string_view separator = equals_ignoring_case(name, "cookie") ? "; " : ", ";
  for (const protocol::Field& field : fields) {
    if (!equals_ignoring_case(field.name, name)) continue;
    if (!all.empty()) all += separator;
    all += field.value;
  }
  return all;
}

std::string all_of(const protocol::ResponseHead* response, std::string_view name) {
  if (!response) return {};
  // It is no field between the two connections: each frames its body itself.
  if (equals_ignoring_case(name, "content-length")) {
    if (response->body.kind == protocol::BodyKind::length)
      return std::to_string(response->body.length);
    return response->announced_length ? std::to_string(*response->announced_length) : "";
  }
  return all_of({response->headers.begin(), response->headers.end()}, name);
}

std::string basic_user(std::string_view authorization) {
  const auto credentials = protocol::parse_basic_credentials(authorization);
  return credentials ? credentials->name : std::string();
}

std::string protocol_of(const VariableSource& from) {
  if (from.requester.protocol_name() == "h2") return "HTTP/2.0";
  return from.request.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

std::string seconds(Duration duration) {
  if (duration.count() < 0) return {};
  std::string text = std::to_string(duration.count() / 1000) + ".000";
  const std::string fraction = std::to_string(duration.count() % 1000);
  return text.replace(text.size() - fraction.size(), fraction.size(), fraction);
}

// With two decimals, rounded.
std::string ratio(uint64_t whole, uint64_t part) {
  if (whole == 0 || part == 0) return {};
  const uint64_t hundredths = (whole * 1000 / part + 5) / 10;
  const std::string fraction = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + (fraction.size() < 2 ? ".0" : ".") + fraction;
}

std::string local_time(WallTime time, const char* format) {
  const std::time_t seconds_since = std::chrono::system_clock::to_time_t(time);
  std::tm local{};
  localtime_r(&seconds_since, &local);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &local)};
}

// "+0100" as RFC 3339 has it: "+01:00".
std::string iso8601(WallTime time) {
  std::string text = local_time(time, "%Y-%m-%dT%H:%M:%S%z");
  return text.insert(text.size() - 2, ":");
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
    return from.route ? from.route->group(name, protocol::path_of_target(from.served_target),
                                          from.authority)
                      : std::string();
  }
  VariableSource within = from;
  within.groups = nullptr;
  const std::string source = expand_plainly(map->source(), within);
  const auto [value, expression, gave_up] = map->find(source);
  if (gave_up) {
    if (from.undecided) *from.undecided = name;
    return {};
  }
  if (!expression) return expand_plainly(value, within);
  const MapGroups groups{*expression,
                         expression->groups(source).value_or(std::vector<std::string>())};
  within.groups = &groups;
  return expand_plainly(value, within);
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

bool is_of_progress(Variable variable) {
  switch (variable) {
    case Variable::upstream_response_time:
    case Variable::request_time:
    case Variable::request_length:
    case Variable::bytes_sent:
    case Variable::body_bytes_sent:
    case Variable::gzip_ratio:
    case Variable::time_local:
    case Variable::time_iso8601:
    case Variable::msec: return true;
    default: return false;
  }
}

std::string progress_of(Variable variable, const Progress& progress) {
  switch (variable) {
    case Variable::upstream_response_time: return seconds(progress.upstream);
    case Variable::request_time: return seconds(progress.elapsed);
    case Variable::request_length: return std::to_string(progress.request_bytes);
    case Variable::bytes_sent: return std::to_string(progress.response_bytes);
    case Variable::body_bytes_sent: return std::to_string(progress.body_bytes);
    case Variable::gzip_ratio: return ratio(progress.plain_bytes, progress.body_bytes);
    case Variable::time_local: return local_time(progress.now, "%d/%b/%Y:%H:%M:%S %z");
    case Variable::time_iso8601: return iso8601(progress.now);
    case Variable::msec:
      return seconds(std::chrono::duration_cast<Duration>(progress.now.time_since_epoch()));
    default: return {};
  }
}

size_t size_of(const protocol::RequestHead& head) {
  size_t size =
      head.method.size() + head.target.size() + std::string_view("  HTTP/1.1\r\n\r\n").size();
  for (const protocol::Field& field : head.headers)
    size += field.name.size() + field.value.size() + std::string_view(": \r\n").size();
  return size;
}

size_t size_of(const protocol::ResponseHead& head) {
  size_t size = head.reason.size() + std::string_view("HTTP/1.1 200 \r\n\r\n").size();
  for (const protocol::Field& field : head.headers)
    size += field.name.size() + field.value.size() + std::string_view(": \r\n").size();
  return size;
}

std::string value_of(const conf::TemplatePart& part, const VariableSource& from) {
  const std::string_view query = cut(from.served_target, '?').second.value_or(std::string_view());
  const protocol::ClientFacts& client = from.requester.facts();
  switch (part.variable) {
    case Variable::text: return part.text;
    case Variable::host: return to_lower(without_port(from.authority));
    case Variable::http_host: return std::string(from.authority);
    case Variable::scheme: return client.secure ? "https" : "http";
    case Variable::https: return client.secure ? "on" : "";
    case Variable::request_method: return std::string(from.request.method);
    case Variable::request_uri: return std::string(from.target);
    case Variable::uri: return protocol::path_of_target(from.served_target);
    case Variable::args: return std::string(query);
    case Variable::is_args: return query.empty() ? "" : "?";
    case Variable::request: {
      if (from.request.method.empty()) return {};
      std::string line(from.request.method);
      return line.append(" ").append(from.target).append(" ").append(protocol_of(from));
    }
    case Variable::server_protocol: return protocol_of(from);
    case Variable::arg: return std::string(argument(query, part.text));
    case Variable::cookie: {
      const auto values = protocol::cookie_values(from.fields, part.text);
      return values.empty() ? std::string() : std::string(values.front());
    }
    case Variable::http: return all_of(from.fields, part.text);
    case Variable::request_id: return std::string(from.request_id);
    case Variable::proxy_host: return from.route ? from.route->upstream : "";
    case Variable::group: return named(part.text, from);
    case Variable::remote_addr: return std::string(from.client_address);
    case Variable::realip_remote_addr: return std::string(client.ip_text);
    case Variable::remote_port: return std::to_string(client.remote_port);
    case Variable::remote_user: return basic_user(all_of(from.fields, "authorization"));
    case Variable::server_addr: return from.requester.server_address();
    case Variable::server_port: return std::to_string(client.local_port);
    case Variable::server_name: return from.route ? from.route->host : "";
    case Variable::hostname: return host_name();
    case Variable::connection: return std::to_string(client.connection);
    case Variable::connection_requests: return std::to_string(from.request_number);
    case Variable::ssl_protocol:
      if (!client.secure) return {};
      return client.tls_1_3 ? "TLSv1.3" : "TLSv1.2";
    case Variable::ssl_cipher: return client.tls_cipher;
    case Variable::ssl_server_name: return std::string(from.requester.asked_name());
    case Variable::ssl_client_s_dn: return std::string(client.certificate_subject);
    case Variable::ssl_client_verify:
      if (!client.secure) return {};
      return client.certificate_fingerprint.empty() ? "NONE" : "SUCCESS";
    case Variable::proxy_add_x_forwarded_for:
      if (from.forwarded) {
        return std::string(from.request.headers.get("X-Forwarded-For").value_or(""));
      }
      return from.forwarding.forwarded_for(from.request.headers, client);
    case Variable::status: return from.status > 0 ? std::to_string(from.status) : "";
    case Variable::upstream_addr: return std::string(from.replica);
    case Variable::upstream_http:
    case Variable::sent_http: return all_of(from.response, part.text);
    case Variable::upstream_status:
      return from.replica.empty() || from.status == 0 ? "" : std::to_string(from.status);
    case Variable::upstream_header_time: return seconds(from.progress.upstream_header);
    case Variable::upstream_response_time:
    case Variable::request_time:
    case Variable::request_length:
    case Variable::bytes_sent:
    case Variable::body_bytes_sent:
    case Variable::gzip_ratio:
    case Variable::time_local:
    case Variable::time_iso8601:
    case Variable::msec: return progress_of(part.variable, from.progress);
    case Variable::nothing: return {};
  }
  return {};
}

std::string expand_plainly(const conf::Template& value, const VariableSource& from) {
  std::string text;
  for (const conf::TemplatePart& part : value.parts)
    text += value_of(part, from);
  return text;
}

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
  // As with nginx, what came without any encoding goes on without it.
  const bool encoded = cut(target, '?').first.find('%') != std::string_view::npos;
  std::string made = route.rules.replace_path;
  made += encoded ? protocol::escape_path(rest) : rest;
  if (const auto query = cut(target, '?').second) made.append("?").append(*query);
  return made;
}

}  // namespace usher::proxy
