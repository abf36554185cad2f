// Which route serves a request: the most specific host, then the path, in the order of nginx's
// locations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/regex.h"
#include "conf/settings.h"
#include "protocol/content_coding.h"
#include "protocol/rewriting.h"

namespace usher::routing {

struct Upstream;

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
  std::vector<uint16_t> ports;  // empty: any

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
  explicit RouteTable(const std::vector<conf::RouteSettings>& settings);

  // `authority` as in Host, with or without port. Hosts compare without case and without a final
  // dot: exact, then "*.name" by length, then "name.*" by length, then expressions in their order,
  // then "*"; of one host, routes for some ports before those for any. Within a host the path,
  // which is normalised first: exact; the longest prefix, if it is prefix_first; expressions in
  // their order; the longest prefix. Where nothing matches, the next host is asked. `port` is the
  // listener's. An expression that gives up leads to a route with status 500.
  const Route* find(std::string_view authority, std::string_view path, uint16_t port = 0) const;
  // The named route ("@name") of the first of these hosts that has it.
  const Route* find_named(std::string_view authority, std::string_view name,
                          uint16_t port = 0) const;

 private:
  // The routes of one host, and of some ports or any.
  struct Site {
    std::vector<Route> prefixes;  // exact ones first, then by length
    std::vector<Route> expressions;
  };

  const Route* find_in(const Site& site, std::string_view path, uint16_t port) const;

  std::vector<Site> sites_;  // in the order in which they are tried
  Route gave_up_;
};

}  // namespace usher::routing
