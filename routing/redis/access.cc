#include "routing/redis/access.h"

#include <utility>

#include "routing/redis/sentinel_finder.h"
#include "tls/client_context.h"

namespace usher::routing::redis {

MakeTransport plain_transports() {
  return [](const std::string&) { return net::make_plain_transport(); };
}

Result<MakeTransport> make_transports(const conf::StoreSettings& settings, const Files& files) {
  if (!settings.url.tls) return plain_transports();
  auto context = tls::ClientContext::make(
      {.ca = settings.ca, .chain = settings.cert, .key = settings.key}, files);
  if (!context) return std::move(context).error();
  return MakeTransport(
      [context = *context](const std::string& host) { return context->make_transport(host); });
}

Greeting authentication(const conf::StoreUrl& url) {
  if (!url.user.empty()) return {{"AUTH", url.user, url.password}};
  if (!url.password.empty()) return {{"AUTH", url.password}};
  return {};
}

Greeting greeting(const conf::StoreUrl& url) {
  Greeting words = authentication(url);
  if (url.database != 0) words.push_back({"SELECT", std::to_string(url.database)});
  return words;
}

std::unique_ptr<ServerFinder> make_finder(const Access& access) {
  if (access.settings.url.kind == conf::StoreKind::sentinel) {
    return std::make_unique<SentinelFinder>(access);
  }
  return std::make_unique<NamedServers>(access.loop, access.resolver, access.settings.url.servers);
}

}  // namespace usher::routing::redis
