#include "conf/nginx/servers.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "conf/endpoint.h"
#include "conf/keys.h"
#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

constexpr uint64_t usual_head = 64 * 1024;
constexpr uint64_t largest_head = uint64_t{16} << 20;

bool means_nothing(std::string_view option) {
  constexpr std::string_view options[] = {"reuseport", "deferred", "bind"};
  constexpr std::string_view with_value[] = {
      "ipv6only=", "backlog=", "rcvbuf=",       "sndbuf=",
      "fastopen=", "setfib=",  "so_keepalive=", "accept_filter="};
  return std::find(std::begin(options), std::end(options), option) != std::end(options) ||
         std::any_of(std::begin(with_value), std::end(with_value),
                     [&](std::string_view start) { return option.starts_with(start); });
}

// "80", "*:80", "[::]:80", "127.0.0.1:80", "localhost:80", "unix:/path", "127.0.0.1".
std::optional<Endpoint> endpoint_of(const std::string& text) {
  if (text.starts_with("unix:")) {
    auto made = parse_listen_endpoint(text);
    return made ? std::optional(*std::move(made)) : std::nullopt;
  }
  std::string host;
  std::string port = text;
  const size_t bracket = text.rfind(']');
  const size_t colon = text.rfind(':');
  if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  } else if (text.find_first_not_of("0123456789") != std::string::npos) {
    host = text;
    port = "80";
  }
  if (host.empty() || host == "*") host = "0.0.0.0";
  auto made = parse_listen_endpoint(host + ":" + port);
  return made ? std::optional(*std::move(made)) : std::nullopt;
}

// Does a location in here pass requests on, whose bodies nginx would limit by itself?
bool passes_on_without_limit(const std::vector<Directive>& block, bool said) {
  const auto has = [&block](std::string_view name) {
    return std::any_of(block.begin(), block.end(),
                       [name](const Directive& each) { return each.name == name; });
  };
  said = said || has("client_max_body_size");
  if (!said && has("proxy_pass")) return true;
  return std::any_of(block.begin(), block.end(), [said](const Directive& each) {
    return passes_on_without_limit(each.block, said);
  });
}

}  // namespace

void Servers::add(const Directive& server, const Scope& http) {
  Server made{&server, {&server.block, &http}, {}, {}};
  bool any = false;
  for (const Directive& each : server.block) {
    if (each.name == "listen") {
      listen(each, made);
      any = true;
    }
    if (each.name == "server_name") name(each, made);
  }
  if (!any) {
    const Directive usual{"listen", {"80"}, false, {}, server.at};
    listen(usual, made);
  }
  for (const std::string& address : made.addresses) {
    Address& mine = addresses_[address];
    if (mine.servers.empty() && !mine.chosen) mine.server = servers_.size();
    mine.servers.push_back(servers_.size());
  }
  certificates(made);
  client_side(made);
  servers_.push_back(std::move(made));
}

void Servers::listen(const Directive& directive, Server& server) {
  const auto endpoint = endpoint_of(directive.args.front());
  if (!endpoint) {
    return report_.error(directive.at, "host not found or invalid in " +
                                           in_quotes(directive.args.front()) +
                                           " of the \"listen\" directive");
  }
  ListenSettings made;
  made.address = *endpoint;
  bool is_default = false;
  bool h2 = false;
  for (size_t i = 1; i < directive.args.size(); ++i) {
    const std::string& option = directive.args[i];
    if (option == "ssl") {
      made.tls = true;
    } else if (option == "default_server" || option == "default") {
      is_default = true;
    } else if (option == "http2") {
      h2 = true;
    } else if (option == "quic") {
      return report_.warning(directive.at, "QUIC is not spoken: clients use TCP instead");
    } else if (option == "proxy_protocol") {
      made.proxy_protocol = true;
    } else if (!means_nothing(option)) {
      report_.error(directive.at, "invalid parameter " + in_quotes(option));
    }
  }
  const Directive* http2 = server.scope.find("http2");
  made.protocols = {"http/1.1"};
  if ((h2 || (http2 && http2->args.front() == "on")) && made.tls)
    made.protocols = {"h2", "http/1.1"};
  if (made.address.port == 443 && !made.tls)
    report_.warning(directive.at, "port 443 without \"ssl\" speaks plain http");
  const std::string key = to_string(made.address);
  const auto [found, fresh] = addresses_.try_emplace(key, Address{made});
  Address& mine = found->second;
  if (fresh) order_.push_back(key);
  server.addresses.insert(key);
  if (is_default && !mine.chosen) {
    mine.chosen = true;
    mine.server = servers_.size();
  }
  ListenSettings& same = mine.listen;
  same.tls = same.tls || made.tls;
  same.proxy_protocol = same.proxy_protocol || made.proxy_protocol;
  if (made.protocols.size() > same.protocols.size()) same.protocols = made.protocols;
}

void Servers::name(const Directive& directive, Server& server) {
  const Check is_host = rule_of(&RouteSettings::host).check;
  for (const std::string& given : directive.args) {
    // "_" is the custom for a name that nobody asks for.
    if (given.empty() || given == "_") continue;
    std::vector<std::string> names{given.starts_with('~') ? given : to_lower(given)};
    if (given.starts_with('.')) {
      names = {to_lower(given.substr(1)), "*" + to_lower(given)};
    }
    for (const std::string& each : names) {
      if (each == "*" || is_host(each)) {
        report_.warning(directive.at, "invalid server name " + in_quotes(given) + ": left out");
      } else {
        server.names.push_back(each);
      }
    }
  }
}

// These hold for all connections of usher: the longest of the file.
void Servers::client_side(const Server& server) {
  const auto time = [&](const char* name) -> std::optional<Millis> {
    const Directive* directive = server.scope.find(name);
    const auto parsed = directive ? parse_time(directive->args.front()) : std::nullopt;
    if (directive && !parsed)
      report_.error(directive->at, in_quotes(name) + " directive invalid value");
    if (!parsed) return std::nullopt;
    return std::clamp<Millis>(*parsed, 1ms, 24h);
  };
  if (const auto keep_alive = time("keepalive_timeout"))
    settings_.timeouts.keep_alive = *keep_alive;
  requests(server);
  if (const auto head = time("client_header_timeout"))
    settings_.timeouts.head = std::min<Millis>(*head, 1h);
  for (const char* name : {"client_body_timeout", "send_timeout"}) {
    if (const auto stall = time(name))
      settings_.timeouts.stall = std::max(settings_.timeouts.stall, *stall);
  }
  if (const Directive* buffers = server.scope.find("large_client_header_buffers")) {
    const auto number = parse_decimal<uint64_t>(buffers->args[0]);
    const auto size = parse_size(buffers->args[1]);
    if (!number || !size || *number > 1024)
      return report_.error(buffers->at, "\"large_client_header_buffers\" directive invalid value");
    settings_.limits.head.bytes = std::clamp(*number * *size, usual_head, largest_head);
  }
  balancers(server);
}

// Of one connection. Without keepalive_timeout it carries one.
void Servers::requests(const Server& server) {
  uint32_t& most = settings_.limits.connection_requests;
  if (const Directive* requests = server.scope.find("keepalive_requests")) {
    const auto number = parse_decimal<uint32_t>(requests->args.front());
    if (!number)
      return report_.error(requests->at, "\"keepalive_requests\" directive invalid number");
    most = std::max(most, requests_of_connection(*number));
  }
  const Directive* keep_alive = server.scope.find("keepalive_timeout");
  if (keep_alive && parse_time(keep_alive->args.front()) == Millis(0)) most = 1;
}

// Whom the routes of this server believe is said in each location; what is of connections, here.
void Servers::balancers(const Server& server) {
  const auto trusted = server.scope.all("set_real_ip_from");
  bool balanced = false;
  for (const std::string& address : server.addresses) {
    Address& mine = addresses_[address];
    balanced = balanced || mine.listen.proxy_protocol;
    for (const Directive* from : trusted) {
      for (const Cidr& network : parse_networks(from->args.front())) {
        if (std::find(mine.trusted.begin(), mine.trusted.end(), network) == mine.trusted.end())
          mine.trusted.push_back(network);
      }
    }
  }
  if (balanced && trusted.empty()) {
    report_.not_served(server.block->at,
                       "\"proxy_protocol\" is served from known balancers only: name them with "
                       "set_real_ip_from");
  }
  const Directive* header = server.scope.own("real_ip_header");
  if (!header || balanced || !equals_ignoring_case(header->args.front(), "proxy_protocol")) return;
  report_.not_served(header->at,
                     "the PROXY protocol is believed where \"listen\" says proxy_protocol");
}

// "if ($host = name) { return … }", as certbot writes it, and "if ($scheme = http)".
bool Servers::take_condition(const Directive& directive, const Server& server, const Names& names,
                             Conditions& conditions) {
  std::string text;
  for (const std::string& word : directive.args)
    text.append(text.empty() ? "" : " ").append(word);
  if (!text.starts_with('(') || !text.ends_with(')')) return false;
  const std::string_view inside = trim(std::string_view(text).substr(1, text.size() - 2));
  const auto equals = inside.find(" = ");
  const bool one_return = directive.block.size() == 1 && directive.block[0].name == "return";
  if (equals == std::string_view::npos || !one_return) return false;
  const std::string_view variable = trim(inside.substr(0, equals));
  const std::string right(trim(inside.substr(equals + 3)));
  RouteSettings route;
  route.match = PathMatch::prefix;
  locations_.answer(directive.block.front(), names, route);
  locations_.common(server.scope, names, route);
  if (variable == "$host") {
    route.host = to_lower(right);
    if (right.starts_with('~') || rule_of(&RouteSettings::host).check(right)) return false;
    if (conditions.hosts.insert(route.host).second) conditions.of_hosts.push_back(std::move(route));
    return true;
  }
  if (variable != "$scheme" || conditions.of_scheme) return false;
  for (const std::string& address : server.addresses) {
    if (addresses_[address].listen.tls == (right == "https")) conditions.addresses.insert(address);
  }
  conditions.of_scheme = std::move(route);
  return true;
}

std::vector<RouteSettings> Servers::routes_of(const Server& server, Conditions& conditions) {
  Names names = names_in(*server.scope.block, {});
  names.emplace("server_name", server.names.empty() ? "" : server.names.front());
  for (const Directive& each : *server.scope.block) {
    if (each.name == "if" && !take_condition(each, server, names, conditions)) {
      report_.not_served(each.at, "this \"if\" is not served: a route has hosts, ports and a path");
    }
  }
  const Directive* answers = server.scope.own("return");
  if (!answers) return locations_.routes_of(server.scope, names);
  RouteSettings all;
  all.match = PathMatch::prefix;
  locations_.answer(*answers, names, all);
  locations_.common(server.scope, names, all);
  return {std::move(all)};
}

// What Open WebUI does not bear.
void Servers::warn_of(const Server& server, const std::vector<RouteSettings>& routes) {
  const auto to = [&](std::string_view path) -> const RouteSettings* {
    for (const RouteSettings& route : routes) {
      if (route.path == path && !route.upstream.empty()) return &route;
    }
    return nullptr;
  };
  const RouteSettings* root = to("/");
  const bool said = server.scope.find("client_max_body_size") != nullptr;
  if (passes_on_without_limit(server.block->block, said)) {
    report_.warning(server.block->at,
                    "no \"client_max_body_size\" for all that this server passes on: nginx would "
                    "refuse uploads beyond 1 MiB; usher has no limit");
  }
  if (!root) return;
  for (const char* path : {"/api/", "/api/v1/", "/api"}) {
    const RouteSettings* api = to(path);
    if (api && api->upstream != root->upstream) {
      report_.warning(server.block->at, "Open WebUI's own " + in_quotes(path) +
                                            " leads to another upstream than \"/\"");
    }
  }
}

void Servers::finish() {
  if (settings_.tls.session_tickets && std::exchange(settings_.tls.session_cache, 0) > 0)
    report_.accepted("ssl_session_cache", "clients keep their sessions as tickets: on any node");
  join_families();
  for (const std::string& key : order_) {
    const auto found = addresses_.find(key);
    if (found == addresses_.end()) continue;
    ListenSettings& made = settings_.listen.emplace_back(found->second.listen);
    if (made.proxy_protocol) made.trusted = found->second.trusted;
  }
  for (size_t i = 0; i < servers_.size(); ++i)
    emit(i);
  share_trust();
}

}  // namespace usher::conf::nginx
