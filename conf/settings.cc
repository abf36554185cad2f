#include "conf/settings.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace usher::conf {
namespace {

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

std::string to_string(const Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) return "unix:" + endpoint.unix_path;
  return bracketed(endpoint.host) + ":" + std::to_string(endpoint.port);
}

std::string to_string(const ReplicaSettings& replica) {
  std::string text = (replica.tls ? "https://" : "") + to_string(replica.address);
  if (replica.weight != 1) text += " weight=" + std::to_string(replica.weight);
  return replica.backup ? text + " backup" : text;
}

std::string to_string(const StoreUrl& url) {
  if (url.kind == StoreKind::memory) return "memory:";
  std::string text = url.tls ? "rediss" : "redis";
  if (url.kind == StoreKind::sentinel) text += "+sentinel";
  if (url.kind == StoreKind::cluster) text += "+cluster";
  text += "://" + url.user;
  if (!url.password.empty()) text += ":***";
  if (!url.user.empty() || !url.password.empty()) text += "@";
  const char* comma = "";
  for (const Endpoint& server : url.servers) {
    text += comma + to_string(server);
    comma = ",";
  }
  if (url.kind == StoreKind::sentinel) text += "/" + url.service;
  if (url.kind == StoreKind::cluster) return text;
  return text + "/" + std::to_string(url.database);
}

std::string to_string(const Cidr& cidr) {
  if (cidr.address.empty()) return "unix:";
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = cidr.address.size() == 4 ? AF_INET : AF_INET6;
  inet_ntop(family, cidr.address.data(), text.data(), text.size());
  return std::string(text.data()) + "/" + std::to_string(cidr.bits);
}

UpstreamTimeouts merge(UpstreamTimeouts of_upstream, const RouteTimeouts& of_route) {
  const auto set = [](Millis& here, Millis there) {
    if (there > 0ms) here = there;
  };
  set(of_upstream.connect, of_route.connect);
  set(of_upstream.send, of_route.send);
  set(of_upstream.first_byte, of_route.first_byte);
  set(of_upstream.between_bytes, of_route.between_bytes);
  set(of_upstream.tunnel_idle, of_route.tunnel_idle);
  return of_upstream;
}

std::vector<std::string> offered_protocols(const ListenSettings& listener) {
  if (!listener.protocols.empty()) return listener.protocols;
  if (listener.tls) return {"h2", "http/1.1"};
  return {"http/1.1"};
}

std::vector<AccessLogSettings> access_logs(const LogSettings& settings) {
  std::vector<AccessLogSettings> all{{std::string(main_access_log), settings.access,
                                      settings.format, settings.escape, settings.when}};
  all.insert(all.end(), settings.files.begin(), settings.files.end());
  return all;
}

bool mentions(const Settings& settings, Variable variable) {
  const auto in = [variable](const Template& text) {
    return std::any_of(text.parts.begin(), text.parts.end(),
                       [variable](const TemplatePart& part) { return part.variable == variable; });
  };
  const auto in_values = [&](const auto& owners) {
    return std::any_of(owners.begin(), owners.end(),
                       [&](const auto& owner) { return in(owner.value); });
  };
  const auto in_rewrites = [&](const std::vector<RewriteSettings>& rules) {
    return std::any_of(rules.begin(), rules.end(), [&](const RewriteSettings& rule) {
      return in(rule.from.text) || in(rule.to);
    });
  };
  const auto in_any = [&](const std::vector<Template>& texts) {
    return std::any_of(texts.begin(), texts.end(), in);
  };
  const auto in_route = [&](const RouteSettings& route) {
    return in(route.redirect) || in(route.body) || in(route.basic_auth.realm) || in(route.root) ||
           in(route.alias) || in_any(route.index) || in_any(route.try_files) ||
           in_values(route.set_headers) || in_values(route.add_headers) ||
           in_values(route.add_headers_on_success) || in_rewrites(route.rewrite_location) ||
           in_rewrites(route.rewrite_cookie_domain) || in_rewrites(route.rewrite_cookie_path);
  };
  const auto in_map = [&](const MapSettings& map) {
    return in(map.source) || in(map.otherwise) || in_values(map.entries);
  };
  const auto in_keys = [&](const auto& zones) {
    return std::any_of(zones.begin(), zones.end(), [&](const auto& zone) { return in(zone.key); });
  };
  const auto logs = access_logs(settings.log);
  return in_keys(settings.rate_zones) || in_keys(settings.connection_zones) ||
         std::any_of(settings.routes.begin(), settings.routes.end(), in_route) ||
         std::any_of(settings.maps.begin(), settings.maps.end(), in_map) ||
         std::any_of(logs.begin(), logs.end(),
                     [&](const auto& log) { return in(log.format) || in(log.when); });
}

void fill_in(Settings& settings) {
  if (settings.listen.empty()) {
    settings.listen.resize(2);
    settings.listen[0].address.port = 8088;
    settings.listen[1].address.port = 8443;
    settings.listen[1].tls = true;
  }
  const bool any_route_leads_there =
      std::any_of(settings.routes.begin(), settings.routes.end(),
                  [](const RouteSettings& route) { return !route.upstream.empty(); });
  if (settings.upstreams.empty() && (settings.routes.empty() || any_route_leads_there))
    settings.upstreams.resize(1);
  if (settings.routes.empty()) {
    settings.routes.resize(1);
    settings.routes.front().upstream = settings.upstreams.front().name;
  }
}

Settings built_in_settings() {
  Settings settings;
  fill_in(settings);
  return settings;
}

}  // namespace usher::conf
