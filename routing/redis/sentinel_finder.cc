#include "routing/redis/sentinel_finder.h"

#include <utility>

#include "base/strings.h"

namespace usher::routing::redis {

Result<conf::Endpoint> parse_master(const Reply& reply) {
  const auto bad = [](const char* why) { return Error{Errc::store_error, Side::store, why}; };
  if (reply.kind == Reply::Kind::nil) return bad("the Sentinel knows no master of this name");
  if (reply.kind != Reply::Kind::array || reply.array.size() != 2) {
    return bad("the Sentinel's answer is no address");
  }
  const Reply& host = reply.array[0];
  const Reply& port_text = reply.array[1];
  const auto port = parse_decimal<uint16_t>(port_text.text);
  if (host.kind != Reply::Kind::text || !is_server_host(host.text) || !port || *port == 0) {
    return bad("the Sentinel's answer is no address");
  }
  return conf::Endpoint{host.text, *port, {}};
}

SentinelFinder::SentinelFinder(const Access& access)
    : access_(access),
      service_(access.settings.url.service),
      inquiry_(access, access.settings.url.servers, {}, authentication(access.settings.url)) {}

Pending SentinelFinder::find(Found found) {
  finished();
  found_ = std::move(found);
  asking_ = inquiry_.ask(
      {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", service_},
      [this](const Reply& reply, const std::string&) -> Outcome {
        auto master = parse_master(reply);
        if (!master) return std::move(master).error();
        master_ = std::move(*master);
        return {};
      },
      [this](const Outcome& outcome) { on_asked(outcome); });
  return Pending(*this);
}

void SentinelFinder::cancel() noexcept {
  asking_.reset();
  resolving_.reset();
}

void SentinelFinder::on_asked(const Outcome& outcome) {
  if (!outcome) {
    return finish(Error{outcome.error().code, outcome.error().side,
                        "no Sentinel names the master; " + outcome.error().detail});
  }
  if (!switches_) {
    const conf::StoreUrl& url = access_.settings.url;
    switches_ = std::make_unique<Subscription>(
        access_, std::make_unique<NamedServers>(access_.loop, access_.resolver, url.servers),
        inquiry_.password_was_wanted() ? authentication(url) : Greeting{}, "+switch-master",
        static_cast<Subscription::Listener&>(*this));
  }
  resolving_ = access_.resolver.resolve(master_.host, master_.port,
                                        [this](Result<std::vector<SocketAddress>> addresses) {
                                          if (!addresses)
                                            return finish(std::move(addresses).error());
                                          finish(name_all(*addresses, master_.host));
                                        });
}

// "mymaster 10.0.0.1 6379 10.0.0.2 6379"
void SentinelFinder::on_message(std::string_view text) {
  if (cut(text, ' ').first == service_ && moved_) moved_();
}

void SentinelFinder::finish(Result<std::vector<ServerAddress>> result) {
  finished();
  const Found found = std::exchange(found_, nullptr);
  found(std::move(result));
}

}  // namespace usher::routing::redis
