#include "conf/nginx/upstreams.h"

#include <algorithm>

#include "base/strings.h"
#include "conf/endpoint.h"
#include "conf/keys.h"
#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

constexpr uint32_t most_weight = 256;

std::string with_port(const std::string& host, bool tls) {
  if (host.starts_with("unix:")) return host;
  const size_t end = host.starts_with('[') ? host.find(']') : 0;
  const bool has_port = host.find(':', end == std::string::npos ? 0 : end) != std::string::npos;
  return has_port ? host : host + (tls ? ":443" : ":80");
}

// Letters, digits and the marks that an upstream's name may have.
std::string as_name(std::string_view host) {
  std::string name(host);
  std::replace_if(
      name.begin(), name.end(),
      [](char c) { return !is_alpha(c) && !is_digit(c) && c != '-' && c != '.' && c != '_'; }, '-');
  return name.substr(0, 64);
}

bool resolves(const Directive& block) {
  return std::any_of(block.block.begin(), block.block.end(), [](const Directive& each) {
    return each.name == "server" &&
           std::find(each.args.begin(), each.args.end(), "resolve") != each.args.end();
  });
}

}  // namespace

uint32_t requests_of_connection(uint32_t said) {
  const uint64_t most = rule_of(&LimitSettings::connection_requests).max;
  return static_cast<uint32_t>(std::clamp<uint64_t>(said, 1, most));
}

void Upstreams::declare(const Directive& block, const Scope& http) {
  if (!blocks_.emplace(block.args.front(), Block{&block, &http}).second)
    report_.error(block.at, "duplicate upstream " + in_quotes(block.args.front()));
}

UpstreamSettings* Upstreams::find(std::string_view name) {
  const auto found = std::find_if(settings_.upstreams.begin(), settings_.upstreams.end(),
                                  [&](const auto& each) { return each.name == name; });
  return found == settings_.upstreams.end() ? nullptr : &*found;
}

std::string Upstreams::use(const std::string& host, bool tls, const Place& at) {
  const auto block = blocks_.find(host);
  std::string name = as_name(block == blocks_.end() ? with_port(host, tls) : host);
  if (tls) name = as_name("https-" + name);
  if (find(name)) return name;
  UpstreamSettings made;
  made.name = name;
  made.replicas.clear();
  made.balance = Balance::round_robin;
  // As with nginx: what requests find counts, and nobody is asked without being told to. Nothing is
  // known of what is behind: it may have no path for probes.
  made.health.active = false;
  made.health.rise = 1;
  made.health.any_answer = true;
  made.health.fall = 0;
  if (block == blocks_.end()) {
    add_replica(host, {.address = {}, .tls = tls}, at, made);
  } else {
    const Directive& directive = *block->second.directive;
    for (const Directive& each : directive.block) {
      if (each.name == "server") {
        server(each, tls, made);
      } else {
        read(each, made);
      }
    }
    if (made.replicas.empty())
      report_.error(directive.at, "no servers are inside upstream " + in_quotes(host));
  }
  if (made.health.fall == 0) made.health.fall = HealthSettings().fall;
  if (made.replicas.empty()) return {};
  settings_.upstreams.push_back(std::move(made));
  if (block != blocks_.end() && resolves(*block->second.directive))
    resolve(name, {&block->second.directive->block, block->second.http});
  return name;
}

void Upstreams::verify(const std::string& name, const ReplicaTls& terms, const Place& at) {
  UpstreamSettings* upstream = find(name);
  if (!upstream) return;
  const auto [known, first] = terms_.emplace(name, terms);
  if (!first && known->second != terms) {
    return report_.not_served(
        at,
        "\"proxy_ssl_verify\", \"proxy_ssl_name\" and "
        "\"proxy_ssl_trusted_certificate\" are served once for each upstream, "
        "and another location leads there with others");
  }
  upstream->tls_verify = terms.verify;
  upstream->tls_name = terms.name;
  upstream->ca = terms.ca;
}

// "health_check interval=5s fails=3 passes=2 uri=/ready": nginx's commercial version has it.
void Upstreams::check(const std::string& name, const Directive& directive) {
  UpstreamSettings* upstream = find(name);
  if (!upstream) return;
  HealthSettings& health = upstream->health;
  health.active = true;
  const auto bad = [&](const std::string& word) {
    report_.error(directive.at, "invalid parameter " + in_quotes(word));
  };
  for (const std::string& word : directive.args) {
    const auto [key, value] = cut(word, '=');
    if (key == "uri" && value && value->starts_with('/')) {
      health.path = *value;
    } else if (key == "interval" && value) {
      const auto time = parse_time(*value);
      if (!time) return bad(word);
      const Rule& rule = rule_of(&HealthSettings::interval);
      health.interval = std::clamp<Millis>(*time, Millis(rule.min), Millis(rule.max));
    } else if ((key == "fails" || key == "passes") && value) {
      const auto number = parse_decimal<uint32_t>(*value);
      if (!number || *number == 0) return bad(word);
      (key == "fails" ? health.fall : health.rise) = std::min<uint32_t>(*number, 100);
    } else if (key == "jitter" || key == "keepalive_time" || word == "type=http") {
      report_.accepted("health_check " + std::string(key), "probes are spread by themselves");
    } else {
      report_.not_served(directive.at, "the parameter " + in_quotes(word) +
                                           " of health_check is not served: [upstream.health] says "
                                           "how replicas are asked");
    }
  }
}

void Upstreams::resolve(const std::string& name, const Scope& scope) {
  UpstreamSettings* upstream = find(name);
  const Directive* directive = scope.find("resolver");
  if (!upstream || !directive) return;
  const Resolution wanted = resolution(*directive);
  const auto known = resolutions_.emplace(name, wanted).first;
  if (known->second != wanted) {
    return report_.not_served(directive->at,
                              "one \"resolver\" is served for each upstream, and another location "
                              "leads there with another one");
  }
  upstream->nameservers = wanted.nameservers;
  upstream->resolve = wanted.valid;
  upstream->addresses = wanted.addresses;
}

// "127.0.0.11 [::1]:5353 valid=10s ipv6=off"
Upstreams::Resolution Upstreams::resolution(const Directive& directive) {
  Resolution made;
  for (const std::string& word : directive.args) {
    const auto [name, value] = cut(word, '=');
    if (!value) {
      if (!parse_nameserver(word)) {
        report_.not_served(directive.at, "the resolver " + in_quotes(word) +
                                             " is not served: it is named by its address");
      }
      made.nameservers.push_back(word);
    } else if (name == "valid") {
      const auto valid = parse_time(*value);
      if (!valid) report_.error(directive.at, "invalid parameter: " + word);
      const Rule& rule = rule_of(&UpstreamSettings::resolve);
      made.valid =
          std::clamp<Millis>(valid.value_or(made.valid), Millis(rule.min), Millis(rule.max));
    } else if ((name == "ipv6" || name == "ipv4") && (*value == "on" || *value == "off")) {
      if (*value == "off") made.addresses = name == "ipv6" ? "ipv4" : "ipv6";
    } else if (name != "status_zone") {
      report_.error(directive.at, "invalid parameter: " + word);
    }
  }
  if (made.nameservers.empty()) report_.error(directive.at, "no name servers defined");
  return made;
}

void Upstreams::read(const Directive& directive, UpstreamSettings& upstream) {
  if (directive.name.starts_with("keepalive")) return kept(directive, upstream);
  if (directive.name == "least_conn") upstream.balance = Balance::least_connections;
  if (directive.name == "random") upstream.balance = Balance::random_two;
  if (directive.name == "ip_hash" || directive.name == "hash")
    upstream.balance = Balance::rendezvous;
}

// How long, how many, and for how many requests connections to replicas are kept.
void Upstreams::kept(const Directive& directive, UpstreamSettings& upstream) {
  const std::string& text = directive.args.front();
  const auto number = parse_decimal<uint32_t>(text);
  if (directive.name == "keepalive_timeout") {
    const auto time = parse_time(text);
    if (!time) return report_.error(directive.at, "\"keepalive_timeout\" directive invalid value");
    const Millis most = UpstreamTimeouts().keep_alive;
    upstream.timeouts.keep_alive = std::clamp<Millis>(*time, 1ms, most);
    if (*time <= most) return;
    report_.accepted(
        "keepalive_timeout of an upstream",
        "what has been idle for 4 s is closed: uvicorn closes after 5 s, and a request "
        "must not meet that");
  } else if (directive.name == "keepalive") {
    if (!number)
      return report_.error(directive.at,
                           "invalid value " + in_quotes(text) + " in \"keepalive\" directive");
    const uint64_t most = rule_of(&UpstreamSettings::idle_connections).max;
    upstream.idle_connections = static_cast<uint32_t>(std::min<uint64_t>(*number, most));
  } else if (directive.name == "keepalive_requests") {
    if (!number)
      return report_.error(directive.at, "\"keepalive_requests\" directive invalid number");
    upstream.connection_requests = requests_of_connection(*number);
  }
}

// "server host:port weight=2 down;"
void Upstreams::server(const Directive& directive, bool tls, UpstreamSettings& upstream) {
  if (directive.args.empty()) return;
  ReplicaSettings options{.address = {}, .tls = tls};
  for (size_t i = 1; i < directive.args.size(); ++i) {
    const auto [name, value] = cut(directive.args[i], '=');
    if (name == "down") return;
    if (name == "weight" && value) {
      const auto number = parse_decimal<uint32_t>(*value);
      if (!number || *number == 0 || *number > most_weight)
        report_.error(directive.at, "invalid parameter " + in_quotes(directive.args[i]));
      options.weight = number.value_or(1);
    } else if (name == "max_conns" && value) {
      upstream.max_connections = parse_decimal<uint32_t>(*value).value_or(0);
    } else if (directive.args[i] == "backup") {
      options.backup = true;
    } else if (name == "slow_start" && value) {
      const auto time = parse_time(*value);
      if (!time) report_.error(directive.at, "invalid parameter " + in_quotes(directive.args[i]));
      upstream.slow_start = std::min<Millis>(time.value_or(0ms), 1h);
    } else if (name == "max_fails" && value) {
      max_fails(directive, *value, upstream);
    } else if (name == "fail_timeout" && value) {
      report_.accepted("fail_timeout",
                       "a replica that is down is up as soon as it takes connections again");
    } else if (name != "resolve") {
      report_.error(directive.at, "invalid parameter " + in_quotes(directive.args[i]));
    }
  }
  add_replica(directive.args.front(), options, directive.at, upstream);
}

// The most patient server speaks for all.
void Upstreams::max_fails(const Directive& directive, std::string_view value,
                          UpstreamSettings& upstream) {
  const auto number = parse_decimal<uint32_t>(value);
  if (!number) return report_.error(directive.at, "invalid parameter \"max_fails\"");
  if (*number == 0) {
    return report_.accepted("max_fails=0", "a replica that does not answer gets no new clients");
  }
  const uint64_t fails = std::min<uint64_t>(*number, rule_of(&HealthSettings::fall).max);
  upstream.health.fall = std::max(upstream.health.fall, static_cast<uint32_t>(fails));
}

void Upstreams::add_replica(const std::string& text, const ReplicaSettings& options,
                            const Place& at, UpstreamSettings& upstream) {
  auto replica = parse_replica(with_port(text, options.tls));
  if (!replica) return report_.error(at, "host not usable in upstream: " + replica.error().detail);
  const bool twice =
      std::any_of(upstream.replicas.begin(), upstream.replicas.end(),
                  [&](const auto& other) { return other.address == replica->address; });
  if (twice) return;
  upstream.replicas.push_back(options);
  upstream.replicas.back().address = std::move(replica->address);
}

}  // namespace usher::conf::nginx
