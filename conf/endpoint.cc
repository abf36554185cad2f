#include "conf/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>

#include "base/strings.h"
#include "conf/words.h"

namespace usher::conf {
namespace {

constexpr std::string_view unix_scheme = "unix:";
constexpr size_t longest_unix_path = 107;  // sun_path with its zero, unix(7)
constexpr uint32_t most_weight = 256;
constexpr std::string_view https_scheme = "https://";

constexpr std::string_view listen_form = R"("host:port", ":port", "[IPv6]:port" or "unix:/path")";
constexpr std::string_view replica_form = R"("host:port", "[IPv6]:port" or "unix:/path")";
constexpr std::string_view store_form =
    R"("memory:", "redis://[[user]:password@]host[:port][/database]", )"
    R"("redis+sentinel://host[:port],…/service[/database]" or "redis+cluster://host[:port],…")";
constexpr std::string_view cidr_form =
    R"(an address, a network such as "10.0.0.0/8" or "fd00::/8", or "unix:")";

struct StoreScheme {
  std::string_view name;
  StoreKind kind;
  bool tls;
  uint16_t port;
};
constexpr uint16_t redis_port = 6379;
constexpr uint16_t sentinel_port = 26379;
constexpr StoreScheme store_schemes[] = {
    {"redis", StoreKind::redis, false, redis_port},
    {"rediss", StoreKind::redis, true, redis_port},
    {"redis+sentinel", StoreKind::sentinel, false, sentinel_port},
    {"rediss+sentinel", StoreKind::sentinel, true, sentinel_port},
    {"redis+cluster", StoreKind::cluster, false, redis_port},
    {"rediss+cluster", StoreKind::cluster, true, redis_port},
};
constexpr size_t most_store_servers = 32;

bool is_ipv4(const std::string& text) {
  in_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_ipv6(std::string_view text) {
  const auto [address, zone] = cut(text, '%');
  if (zone && (zone->empty() || !std::all_of(zone->begin(), zone->end(), [](char c) {
                 return is_alpha(c) || is_digit(c) || c == '_' || c == '.' || c == '-';
               }))) {
    return false;
  }
  in6_addr parsed{};
  return inet_pton(AF_INET6, std::string(address).c_str(), &parsed) == 1;
}

bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alpha(c) || is_digit(c) || c == '-' || c == '_';
  });
}

// A DNS name (with the underscores that compose's service names have) or an IPv4 address.
bool is_host(std::string_view text) {
  if (text.size() > 253) return false;
  std::string_view label;
  for (std::optional<std::string_view> rest = text.substr(0, text.size() - text.ends_with('.'));
       rest;) {
    std::tie(label, rest) = cut(*rest, '.');
    if (!is_label(label)) return false;
  }
  // What ends in a number can only be an address: "10.0.0.300" is a slip, not a name.
  if (std::all_of(label.begin(), label.end(), is_digit)) return is_ipv4(std::string(text));
  return true;
}

std::optional<Endpoint> parse_unix(std::string_view text) {
  const std::string_view path = text.substr(unix_scheme.size());
  if (path.size() < 2 || path.front() != '/' || path.size() > longest_unix_path)
    return std::nullopt;
  if (path.find('\0') != std::string_view::npos) return std::nullopt;
  return Endpoint{{}, 0, std::string(path)};
}

// host and port of "host:port" and "[IPv6]:port"; the port is absent when there is no colon.
struct HostPort {
  std::string_view host;
  std::optional<std::string_view> port;
};

std::optional<HostPort> split_host_port(std::string_view text) {
  if (!text.starts_with('[')) {
    const auto [host, port] = cut(text, ':');
    if (port && port->find(':') != std::string_view::npos) return std::nullopt;
    return HostPort{host, port};
  }
  const auto close = text.find(']');
  if (close == std::string_view::npos) return std::nullopt;
  const std::string_view host = text.substr(1, close - 1);
  const std::string_view rest = text.substr(close + 1);
  if (!is_ipv6(host)) return std::nullopt;
  if (rest.empty()) return HostPort{host, std::nullopt};
  if (rest.front() != ':') return std::nullopt;
  return HostPort{host, rest.substr(1)};
}

// What people write instead, and what to write.
std::string hint(std::string_view text) {
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
    const std::string_view rest = text.substr(scheme + 3);
    return "; write " + in_quotes(rest.substr(0, rest.find('/'))) + " without the scheme";
  }
  if (is_ipv6(text)) return "; write an IPv6 address in brackets";
  return {};
}

bool is_known_host(std::string_view host) { return is_host(host) || is_ipv6(host); }

// Also when the "@host" was forgotten and the password stands where a port would.
std::string without_password(std::string_view url) {
  const auto scheme = url.find("://");
  const size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::string_view rest = url.substr(start);
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    return in_quotes(std::string(url.substr(0, start)) + "***" + std::string(rest.substr(at)));
  }
  const auto [host, tail] = cut(rest, ':');
  if (!tail || scheme == std::string_view::npos || rest.starts_with('[')) return in_quotes(url);
  const std::string_view port = tail->substr(0, tail->find('/'));
  if (std::all_of(port.begin(), port.end(), is_digit)) return in_quotes(url);
  return in_quotes(std::string(url.substr(0, start)) + std::string(host) + ":***");
}

}  // namespace

Result<Endpoint> parse_listen_endpoint(std::string_view text) {
  if (text.starts_with(unix_scheme)) {
    if (auto endpoint = parse_unix(text)) return *std::move(endpoint);
    return unexpected(R"("unix:" and an absolute path of at most 107 bytes)", in_quotes(text));
  }
  if (parse_decimal<uint16_t>(text)) {
    return unexpected(listen_form,
                      in_quotes(text) + "; write " + in_quotes(":" + std::string(text)));
  }
  const auto parts = split_host_port(text);
  if (!parts || !parts->port || (!parts->host.empty() && !is_known_host(parts->host))) {
    return unexpected(listen_form, in_quotes(text) + hint(text));
  }
  const auto port = parse_decimal<uint16_t>(*parts->port);
  if (!port) return unexpected("a port from 0 to 65535", in_quotes(*parts->port));
  return Endpoint{std::string(parts->host), *port, {}};
}

Result<Endpoint> parse_replica_endpoint(std::string_view text) {
  if (text.starts_with(unix_scheme)) return parse_listen_endpoint(text);
  const auto parts = split_host_port(text);
  if (!parts || !is_known_host(parts->host)) {
    return unexpected(replica_form, in_quotes(text) + hint(text));
  }
  if (!parts->port) return unexpected(replica_form, in_quotes(text) + ", which has no port");
  const auto port = parse_decimal<uint16_t>(*parts->port);
  if (!port || *port == 0) return unexpected("a port from 1 to 65535", in_quotes(*parts->port));
  return Endpoint{std::string(parts->host), *port, {}};
}

Result<Endpoint> parse_nameserver(std::string_view text) {
  constexpr uint16_t dns_port = 53;
  const auto parts = split_host_port(text);
  const bool numeric = parts && (is_ipv4(std::string(parts->host)) || is_ipv6(parts->host));
  if (!numeric) return unexpected(R"("address" or "address:port")", in_quotes(text) + hint(text));
  const auto port = parts->port ? parse_decimal<uint16_t>(*parts->port) : dns_port;
  if (!port || *port == 0) return unexpected("a port from 1 to 65535", in_quotes(*parts->port));
  return Endpoint{std::string(parts->host), *port, {}};
}

Result<ReplicaSettings> parse_replica(std::string_view text) {
  const auto words = split_list(text, ' ');
  std::string_view url = words.empty() ? text : words.front();
  ReplicaSettings replica;
  replica.tls = starts_with_ignoring_case(url, https_scheme);
  if (replica.tls) url.remove_prefix(https_scheme.size());
  if (replica.tls && url.starts_with(unix_scheme)) {
    return unexpected(R"("https://host:port")", in_quotes(text));
  }
  auto address = parse_replica_endpoint(url);
  if (!address) return std::move(address).error();
  replica.address = *std::move(address);
  bool weighed = false;
  for (size_t i = 1; i < words.size(); ++i) {
    const auto [name, value] = cut(words[i], '=');
    if (words[i] == "backup" && !replica.backup) {
      replica.backup = true;
      continue;
    }
    if (name != "weight" || weighed) {
      return unexpected(R"("weight=2" or "backup" after the address)", in_quotes(words[i]));
    }
    const auto weight = parse_decimal<uint32_t>(value.value_or(""));
    if (!weight || *weight == 0 || *weight > most_weight) {
      return unexpected("a weight from 1 to " + std::to_string(most_weight), in_quotes(words[i]));
    }
    replica.weight = *weight;
    weighed = true;
  }
  return replica;
}

Result<StoreUrl> parse_store_url(std::string_view text) {
  if (text == "memory:") return StoreUrl{};
  const auto bad = [&](std::string_view why = {}) {
    return unexpected(store_form, without_password(text) + std::string(why));
  };
  const auto end_of_scheme = text.find("://");
  const auto* scheme = std::find_if(
      std::begin(store_schemes), std::end(store_schemes),
      [&](const StoreScheme& known) { return known.name == text.substr(0, end_of_scheme); });
  if (end_of_scheme == std::string_view::npos || scheme == std::end(store_schemes)) return bad();
  std::string_view rest = text.substr(end_of_scheme + 3);

  StoreUrl url;
  url.kind = scheme->kind;
  url.tls = scheme->tls;
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    const auto [user, password] = cut(rest.substr(0, at), ':');
    if (!password) return bad(R"(; write "user:password@" or ":password@")");
    const auto decoded_user = percent_decode(user);
    const auto decoded_password = percent_decode(*password);
    if (!decoded_user || !decoded_password) {
      return bad("; a percent sign in a user or password is written %25");
    }
    url.user = *decoded_user;
    url.password = *decoded_password;
    rest.remove_prefix(at + 1);
  }

  auto [servers, path] = cut(rest, '/');
  std::string_view server;
  for (std::optional<std::string_view> others = servers; others;) {
    std::tie(server, others) = cut(*others, ',');
    const auto parts = split_host_port(server);
    if (!parts || !is_known_host(parts->host)) return bad();
    const auto port = parts->port ? parse_decimal<uint16_t>(*parts->port) : scheme->port;
    if (!port || *port == 0) return bad("; a port is a number from 1 to 65535");
    url.servers.push_back({std::string(parts->host), *port, {}});
  }
  if (url.kind == StoreKind::redis && url.servers.size() > 1) {
    return bad("; several servers are Sentinels (redis+sentinel) or a cluster (redis+cluster)");
  }
  if (url.servers.size() > most_store_servers) return bad("; at most 32 servers are named");

  if (url.kind == StoreKind::sentinel) {
    const auto [service, database] = cut(path.value_or(std::string_view()), '/');
    if (!is_identifier(service, "-_.")) {
      return bad(R"(; the name that the Sentinels know follows the servers, such as "/mymaster")");
    }
    url.service = service;
    path = database;
  }
  if (url.kind == StoreKind::cluster) {
    if (path && !path->empty() && *path != "0") return bad("; a cluster has no other database");
  } else if (path && !path->empty()) {
    const auto database = parse_decimal<uint32_t>(*path);
    if (!database) return unexpected("a database's number after the \"/\"", in_quotes(*path));
    url.database = *database;
  }
  return url;
}

Result<Cidr> parse_cidr(std::string_view text) {
  if (text == unix_scheme) return Cidr{};
  const auto [address, bits_text] = cut(text, '/');
  const std::string zero_ended(address);
  std::array<uint8_t, 16> bytes{};
  size_t length = 0;
  if (zero_ended.size() == address.size() &&
      inet_pton(AF_INET, zero_ended.c_str(), bytes.data()) == 1) {
    length = 4;
  } else if (inet_pton(AF_INET6, zero_ended.c_str(), bytes.data()) == 1) {
    length = 16;
  }
  if (length == 0 || address.find('\0') != std::string_view::npos) {
    return unexpected(cidr_form, in_quotes(text));
  }
  const auto most = static_cast<uint8_t>(length * 8);
  const auto bits = bits_text ? parse_decimal<uint8_t>(*bits_text) : most;
  if (!bits || *bits > most) {
    return unexpected("0 to " + std::to_string(most) + " bits after the \"/\"",
                      in_quotes(*bits_text));
  }

  Cidr network{{bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)}, *bits};
  for (size_t i = 0; i < length; ++i) {
    const int kept = std::clamp(*bits - static_cast<int>(i) * 8, 0, 8);
    network.address[i] &= static_cast<uint8_t>(0xff00 >> kept);
  }
  if (!std::equal(network.address.begin(), network.address.end(), bytes.begin())) {
    return unexpected(cidr_form, in_quotes(text) + ", which has bits set beyond /" +
                                     std::to_string(*bits) + "; the network is " +
                                     in_quotes(to_string(network)));
  }
  return network;
}

}  // namespace usher::conf
