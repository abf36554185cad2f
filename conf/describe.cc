#include "conf/describe.h"

#include "conf/keys.h"
#include "conf/values.h"

namespace usher::conf {
namespace {

// "listen     http://:8088": the first line of a kind says what it is.
class Page final {
 public:
  void line(std::string_view label, const std::string& text) {
    std::string column(label == last_ ? "" : label);
    column.resize(12, ' ');
    text_ += "  " + column + text + "\n";
    last_ = label;
  }
  void plain(const std::string& text) { text_ += text + "\n"; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string last_;
};

std::string describe_listen(const ListenSettings& listen) {
  std::string text = (listen.tls ? "https://" : "http://") + to_string(listen.address);
  if (listen.redirect_to_https) text += "  redirects to https";
  return text;
}

void certificates(const Settings& settings, Page& page) {
  bool tls = false;
  for (const auto& listen : settings.listen)
    tls = tls || listen.tls;
  if (!tls) return;
  if (settings.tls.certificates.empty()) page.line("certificate", "self-signed");
  for (const auto& certificate : settings.tls.certificates) {
    page.line("certificate", certificate.chain);
  }
}

void upstream(const UpstreamSettings& upstream, Page& page) {
  const HealthSettings& health = upstream.health;
  page.line("upstream",
            upstream.name + ": " + std::string(name_of(upstream.balance)) + ", health " +
                (health.active ? health.path + " every " + format_millis(health.interval)
                               : std::string("as requests find it")));
  for (const auto& replica : upstream.replicas)
    page.line("upstream", "  " + to_string(replica));
}

std::string hosts_of(const RouteSettings& route) {
  if (route.hosts.empty()) return route.host;
  std::string text;
  for (const auto& host : route.hosts)
    text += (text.empty() ? "" : ",") + host;
  return text;
}

std::string describe_route(const RouteSettings& route) {
  std::string text = hosts_of(route);
  const char* before = ":";
  for (const uint16_t port : route.ports) {
    text.append(before).append(std::to_string(port));
    before = ",";
  }
  for (const Endpoint& listener : route.listen)
    text += " at " + to_string(listener);
  text += " ";
  if (route.match != PathMatch::segments) text += std::string(name_of(route.match)) + " ";
  text += route.path + " -> ";
  if (!route.upstream.empty()) text += route.upstream + route.replace_path;
  if (!route.redirect.empty()) text += "redirect to " + route.redirect.source;
  if (!route.root.empty()) text += "files of " + route.root.source;
  if (!route.alias.empty()) text += "files of " + route.alias.source + " in the place of the path";
  for (const Template& each : route.try_files)
    text += ", " + each.source;
  if (route.stub_status) text += "stub_status";
  if (route.status != 0) text += "status " + std::to_string(route.status);
  if (route.max_body.bytes > 0) text += ", bodies up to " + format_size(route.max_body);
  if (!route.basic_auth.file.empty()) text += ", passwords of " + route.basic_auth.file;
  for (const auto& limit : route.rate_limits)
    text += ", rate limit " + to_string(limit);
  for (const auto& limit : route.connection_limits)
    text += ", connection limit " + to_string(limit);
  const Table& timeouts = table_of<RouteTimeouts>();
  for (const Key& key : timeouts.keys) {
    const void* value = key.in(&route.timeouts);
    if (key.kind.equal(value, key.in(timeouts.usual))) continue;
    text += ", " + std::string(key.name) + " " + key.kind.text(value);
  }
  return text;
}

}  // namespace

std::string describe(const Loaded& loaded) {
  const Settings& settings = loaded.settings;
  Page page;
  page.plain(loaded.source + ": good");
  for (const auto& listen : settings.listen)
    page.line("listen", describe_listen(listen));
  certificates(settings, page);
  const auto& admin = settings.admin.address;
  page.line("admin", !admin                     ? "off"
                     : admin->unix_path.empty() ? "http://" + to_string(*admin)
                                                : to_string(*admin));
  page.line("store", to_string(settings.store.url));
  if (!settings.user.empty()) page.line("user", settings.user + ", when started as root");
  page.line("workers", settings.workers == 0 ? "one per CPU" : std::to_string(settings.workers));
  for (const auto& each : settings.upstreams)
    upstream(each, page);
  for (const auto& route : settings.routes)
    page.line("route", describe_route(route));
  for (const auto& warning : loaded.warnings)
    page.plain("warning: " + warning);
  return page.take();
}

}  // namespace usher::conf
