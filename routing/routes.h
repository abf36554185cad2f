// Which route serves a request: the most specific host, then the path, in the order of nginx's
// locations.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/regex.h"
#include "conf/settings.h"
#include "protocol/content_coding.h"
#include "protocol/forwarding.h"
#include "protocol/rewriting.h"

namespace usher::routing {

struct Upstream;

// Where a request came in: the port, and the listener as the settings name it.
struct Entrance {
  Entrance(uint16_t at = 0, conf::Endpoint by = {}) : port(at), listener(std::move(by)) {}

  uint16_t port;
  conf::Endpoint listener;
};

// When another replica is asked though the first one has been (RouteSettings::retry_on).
struct RetryOn {
  explicit RetryOn(const std::vector<std::string>& words);
  RetryOn() = default;

  bool has(Errc failure) const;

  bool timeout = false;
  bool invalid_response = false;
  std::vector<uint16_t> statuses;
};

// What a route does with a request. One of upstream, redirect and status. Not all have rules: what
// stands in `rules` is for has_rules only.
struct Route {
  std::string host;  // lower case, without port: "*", "name", "*.name", "name.*" or "~regex"
  std::string path;
  conf::PathMatch match = conf::PathMatch::segments;
  std::string upstream;
  uint16_t status = 0;
  uint64_t max_body = 0;  // bytes; 0: no limit
  conf::RouteTimeouts timeouts;
  conf::RouteSettings rules;
  bool has_limits = false;              // rate_limits or connection_limits
  bool has_access_rules = false;        // allow, deny or basic_auth
  bool has_request_rules = false;       // set_headers or replace_path
  bool has_response_rules = false;      // add_headers, remove_headers or rewriting
  bool response_has_variables = false;  // and they ask for what the request said
  RetryOn retry_on;
  protocol::Rewriting rewriting;
  std::optional<protocol::Compression> compression;
  std::optional<Regex> path_regex;
  std::optional<Regex> host_regex;
  // Of whom it believes what they say of the client; nullptr: as all that have none of their own.
  std::shared_ptr<const protocol::Forwarding> forwarding;
  bool gave_up = false;  // stands for the routes that an expression could not tell apart

  bool at_some_entrances() const { return !rules.ports.empty() || !rules.listen.empty(); }

  bool redirects() const { return !rules.redirect.empty(); }
  bool serves_files() const { return !rules.root.empty() || !rules.alias.empty(); }
  // What the expression of the path, else that of the host, found under this number or name; empty
  // if there is none.
  std::string group(std::string_view name, std::string_view normal_path,
                    std::string_view authority) const;
};

class RouteTable final {
 public:
  // An expression that does not compile matches nothing; check() of the settings has refused it.
  // `forwarded`: what the routes have in common.
  explicit RouteTable(const std::vector<conf::RouteSettings>& settings,
                      const conf::ForwardedSettings& forwarded = {});

  // `authority` as in Host, with or without port. Hosts compare without case and without a final
  // dot: exact, then "*.name" by length, then "name.*" by length, then expressions in their order,
  // then "*"; of one host, routes for some ports or listeners before those for any. Within a host
  // the path, which is normalised first: exact; the longest prefix, if it is prefix_first;
  // expressions in their order; the longest prefix. Where nothing matches, the next host is asked.
  // An expression that gives up leads to a route that says so.
  const Route* find(std::string_view authority, std::string_view path,
                    const Entrance& entrance = {}) const;
  // The named route ("@name") of the first of these hosts that has it.
  const Route* find_named(std::string_view authority, std::string_view name,
                          const Entrance& entrance = {}) const;
  // Does any route with proxies of its own believe this address?
  bool any_trusts(std::span<const uint8_t> ip) const;

 private:
  // The routes of one host, and of some entrances or any.
  struct Site {
    std::vector<Route> prefixes;  // exact ones first, then by length
    std::vector<Route> expressions;
  };

  const Route* find_in(const Site& site, std::string_view path, const Entrance& entrance) const;

  std::vector<Site> sites_;  // in the order in which they are tried
  std::vector<std::shared_ptr<const protocol::Forwarding>> own_;  // each once
  Route gave_up_;
};

}  // namespace usher::routing
