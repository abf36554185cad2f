#include "conf/checks.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "conf/words.h"

namespace usher::conf {
namespace {

constexpr size_t shortest_secret = 16;

class Checker final {
 public:
  Checker(const Settings& settings, const Places& places, Problems& problems)
      : settings_(settings), places_(places), problems_(problems) {}

  void run() {
    listeners();
    upstreams();
    routes();
    store();
    secret();
  }

 private:
  void listeners();
  void upstreams();
  void routes();
  bool one_action(const RouteSettings& route);
  void known_upstream(const RouteSettings& route, const std::vector<std::string_view>& names);
  void store();
  void secret();
  // "; the first is on line 7", when it is in the file.
  static std::string first_one(Position at) {
    return at.line > 0 ? "; the first is on line " + std::to_string(at.line) : std::string();
  }

  const Settings& settings_;
  const Places& places_;
  Problems& problems_;
};

void Checker::listeners() {
  std::map<std::string, Position> seen;
  bool tls = false;
  for (const auto& listen : settings_.listen) {
    if (places_.doubts(listen)) continue;
    const Position at = places_.of(listen.address, listen);
    tls = tls || listen.tls;
    if (listen.tls && listen.redirect_to_https) {
      problems_.error(places_.of(listen.redirect_to_https, listen),
                      "this listener speaks https itself: it cannot redirect to https");
    }
    if (listen.proxy_protocol && settings_.forwarded.trusted.empty() &&
        listen.address.unix_path.empty()) {
      problems_.error(places_.of(listen.proxy_protocol, listen),
                      "forwarded.trusted names no balancer that may speak the PROXY protocol");
    }
    const std::string address = to_string(listen.address);
    const bool chosen_by_kernel = listen.address.unix_path.empty() && listen.address.port == 0;
    const auto [first, fresh] = seen.emplace(address, at);
    if (!fresh && !chosen_by_kernel) {
      problems_.error(at, "two listeners on " + in_quotes(address) + first_one(first->second));
    }
  }

  const auto& admin = settings_.admin;
  const auto taken = seen.find(to_string(admin.address));
  if (admin.enabled && taken != seen.end() &&
      (admin.address.port != 0 || !admin.address.unix_path.empty())) {
    const Position at = places_.of(admin.address);
    problems_.error(at.line > 0 ? at : taken->second,
                    "a listener and the admin API are both on " + in_quotes(taken->first));
  }
  const auto& client_ca = settings_.tls.client_ca;
  const bool asks = settings_.tls.client_certificate != "none";
  if (asks && client_ca.empty()) {
    problems_.error(places_.of(settings_.tls.client_certificate),
                    "clients are asked for certificates, and tls.client_ca does not say whose");
  }
  if (!asks && !client_ca.empty()) {
    problems_.warning(places_.of(client_ca),
                      "tls.client_certificate is \"none\": this file is not used");
  }
  for (const auto& certificate : settings_.tls.certificates) {
    if (tls) break;
    problems_.warning(places_.of(certificate),
                      "no listener speaks TLS: this certificate is not used");
  }
}

void Checker::upstreams() {
  std::map<std::string_view, Position> seen;
  for (const auto& upstream : settings_.upstreams) {
    if (places_.doubts(upstream)) continue;
    const Position at = places_.of(upstream.name, upstream);
    const auto [first, fresh] = seen.emplace(upstream.name, at);
    if (!fresh) {
      problems_.error(
          at, "two upstreams are named " + in_quotes(upstream.name) + first_one(first->second));
    }
    std::set<std::string> replicas;
    for (const auto& replica : upstream.replicas) {
      const std::string address = to_string(replica.address);
      if (replicas.insert(address).second) continue;
      problems_.error(places_.of(replica, upstream),
                      "the replica " + in_quotes(address) + " is listed twice");
    }
    const bool used =
        std::any_of(settings_.routes.begin(), settings_.routes.end(),
                    [&](const RouteSettings& route) { return route.upstream == upstream.name; });
    if (!used && fresh) {
      problems_.warning(at, "no route leads to the upstream " + in_quotes(upstream.name));
    }
  }
}

void Checker::routes() {
  bool all_upstreams_known = !places_.doubts(settings_);
  std::vector<std::string_view> names;
  for (const auto& upstream : settings_.upstreams) {
    names.push_back(upstream.name);
    all_upstreams_known = all_upstreams_known && !places_.doubts(upstream);
  }

  using HostAndPath = std::pair<std::string_view, std::string_view>;
  std::map<HostAndPath, Position> seen;
  for (const auto& route : settings_.routes) {
    if (places_.doubts(route)) continue;
    const Position at = places_.of(route);
    const auto [first, fresh] = seen.emplace(HostAndPath(route.host, route.path), at);
    if (!fresh) {
      problems_.error(at, "two routes for host " + in_quotes(route.host) + " and path " +
                              in_quotes(route.path) + first_one(first->second));
    }
    if (one_action(route) && all_upstreams_known) known_upstream(route, names);
    if (route.upstream.empty() && route.timeouts != RouteTimeouts{}) {
      problems_.warning(places_.of(route.timeouts, route),
                        "these timeouts are those of an upstream, and this route has none");
    }
  }
}

bool Checker::one_action(const RouteSettings& route) {
  const int actions = (route.upstream.empty() ? 0 : 1) + (route.redirect.empty() ? 0 : 1) +
                      (route.status == 0 ? 0 : 1);
  if (actions != 1) {
    problems_.error(places_.of(route),
                    std::string("a route has exactly one of upstream, redirect ") +
                        "and status; this one has " +
                        (actions == 0 ? "none" : std::to_string(actions)));
  }
  return actions == 1;
}

void Checker::known_upstream(const RouteSettings& route,
                             const std::vector<std::string_view>& names) {
  if (route.upstream.empty()) return;
  if (std::find(names.begin(), names.end(), route.upstream) != names.end()) return;
  const auto hint = did_you_mean(route.upstream, names);
  problems_.error(places_.of(route.upstream, route),
                  "no upstream is named " + in_quotes(route.upstream) +
                      (hint.empty() ? "; there is " + any_of(names) : hint));
}

void Checker::store() {
  const auto& store = settings_.store;
  if (store.cert.empty() != store.key.empty()) {
    const auto& lonely = store.cert.empty() ? store.key : store.cert;
    problems_.error(places_.of(lonely), "store.cert and store.key belong together");
  }
  if (store.url.tls) return;
  for (const auto* file : {&store.ca, &store.cert, &store.key}) {
    if (file->empty()) continue;
    problems_.warning(places_.of(*file), "store.url speaks no TLS: this file is not used");
  }
}

void Checker::secret() {
  const auto& text = settings_.affinity.secret;
  if (text.empty() || text.size() >= shortest_secret) return;
  problems_.warning(places_.of(text), "a secret this short can be guessed: take at least " +
                                          std::to_string(shortest_secret) + " characters");
}

}  // namespace

void check(const Settings& settings, const Places& places, Problems& problems) {
  Checker(settings, places, problems).run();
}

}  // namespace usher::conf
