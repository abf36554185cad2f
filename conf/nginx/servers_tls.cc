// What nginx's servers say of TLS: their certificates, and what usher has once for all of them.

#include <algorithm>

#include "base/strings.h"
#include "conf/keys.h"
#include "conf/nginx/servers.h"
#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

// nginx: a megabyte is some 4,000 sessions, and "builtin" alone means 20,480.
constexpr uint64_t bytes_of_session = 256;
constexpr uint64_t usual_sessions = 20'480;
constexpr std::optional<uint32_t> usual_verify_depth = 1;

}  // namespace

void Servers::certificates(const Server& server) {
  const auto chains = server.scope.all("ssl_certificate");
  const auto keys = server.scope.all("ssl_certificate_key");
  if (chains.size() != keys.size()) {
    return report_.error(server.block->at,
                         "\"ssl_certificate\" and \"ssl_certificate_key\" belong together");
  }
  const bool tls =
      std::any_of(server.addresses.begin(), server.addresses.end(),
                  [&](const std::string& address) { return addresses_[address].listen.tls; });
  if (!tls) return;
  if (chains.empty()) {
    report_.warning(server.block->at,
                    "no \"ssl_certificate\" is defined for a server with \"listen ... ssl\": usher "
                    "takes its other certificates, or makes one");
  }
  for (size_t i = 0; i < chains.size(); ++i) {
    const CertificateSettings made{chains[i]->args.front(), keys[i]->args.front()};
    if (made.chain.find('$') != std::string::npos) {
      report_.not_served(chains[i]->at, "a certificate's path with a variable is not served");
      continue;
    }
    auto& all = settings_.tls.certificates;
    if (std::find(all.begin(), all.end(), made) == all.end()) all.push_back(made);
  }
  tls_settings(server);
}

// These hold for all listeners of usher.
void Servers::tls_settings(const Server& server) {
  client_certificates(server);
  any_tls_ = true;
  sessions(server);
  if (const Directive* stapling = server.scope.find("ssl_stapling"))
    settings_.tls.ocsp_stapling = stapling->args.front() != "off";
  if (const Directive* ciphers = server.scope.find("ssl_ciphers")) {
    std::string& known = settings_.tls.ciphers;
    if (!known.empty() && known != ciphers->args.front())
      report_.warning(ciphers->at, "\"ssl_ciphers\" are one list for all servers: the last one");
    known = ciphers->args.front();
  }
  if (const Directive* group = server.scope.find("ssl_dhparam"))
    settings_.tls.dh_parameters = group->args.front();
  if (const Directive* curve = server.scope.find("ssl_ecdh_curve")) {
    const std::string& groups = curve->args.front();
    settings_.tls.groups = groups == "auto" ? TlsSettings().groups : groups;
  }
  if (const Directive* prefer = server.scope.find("ssl_prefer_server_ciphers"))
    settings_.tls.prefer_server_ciphers = prefer->args.front() == "on";
  const Directive* protocols = server.scope.find("ssl_protocols");
  if (!protocols) return;
  bool old = false;
  bool v12 = false;
  for (const std::string& each : protocols->args) {
    old = old || (each != "TLSv1.2" && each != "TLSv1.3");
    v12 = v12 || each != "TLSv1.3";
  }
  settings_.tls.min_version = v12 ? "1.2" : "1.3";
  if (old) report_.warning(protocols->at, "usher speaks TLS 1.2 and 1.3 only");
}

// Tickets need no cache. A session can be resumed for twice as long as the key of its ticket is
// used.
void Servers::sessions(const Server& server) {
  TlsSettings& tls = settings_.tls;
  if (const Directive* tickets = server.scope.find("ssl_session_tickets"))
    tls.session_tickets = tls.session_tickets && tickets->args.front() != "off";
  if (const Directive* timeout = server.scope.find("ssl_session_timeout")) {
    const auto time = parse_time(timeout->args.front());
    const Rule& rule = rule_of(&TlsSettings::ticket_rotate);
    if (!time) return report_.error(timeout->at, "\"ssl_session_timeout\" directive invalid value");
    tls.ticket_rotate = std::clamp<Millis>(*time / 2, Millis(rule.min), Millis(rule.max));
  }
  const Directive* cache = server.scope.find("ssl_session_cache");
  if (!cache) return;
  // "off", "none", "builtin:SESSIONS" or "shared:NAME:SIZE".
  for (const std::string& each : cache->args) {
    const auto [kind, rest] = cut(each, ':');
    if (each == "off" || each == "none") continue;
    std::optional<uint64_t> sessions;
    if (kind == "builtin") sessions = rest ? parse_decimal<uint64_t>(*rest) : usual_sessions;
    if (kind == "shared" && rest) {
      const auto size = parse_size(cut(*rest, ':').second.value_or(""));
      if (size) sessions = *size / bytes_of_session;
    }
    if (!sessions) return report_.error(cache->at, "invalid session cache " + in_quotes(each));
    const uint64_t most = rule_of(&TlsSettings::session_cache).max;
    tls.session_cache = std::max(tls.session_cache,
                                 static_cast<uint32_t>(std::clamp<uint64_t>(*sessions, 1, most)));
  }
}

// A server that asked nobody would let everybody in to what another one protects.
void Servers::client_certificates(const Server& server) {
  const Directive* verify = server.scope.find("ssl_verify_client");
  const Directive* authorities = server.scope.find("ssl_client_certificate");
  const std::string how = verify ? verify->args.front() : "off";
  const std::string policy = how == "on" ? "require" : how == "off" ? "none" : "request";
  const std::string file = policy == "none" ? "" : authorities ? authorities->args.front() : "";
  const Directive* further = server.scope.find("ssl_trusted_certificate");
  const std::string trusted = further ? further->args.front() : "";
  if (how == "optional_no_ca") {
    return report_.not_served(verify->at,
                              "\"optional_no_ca\" is not served: a certificate that "
                              "nobody has verified says nothing");
  }
  if (how != "on" && how != "off" && how != "optional")
    return report_.error(verify->at, "invalid value " + in_quotes(how));
  if (policy != "none" && file.empty() && trusted.empty())
    return report_.error(verify->at, "no ssl_client_certificate for ssl_verify_client");
  TlsSettings& common = settings_.tls;
  const bool others_are_trusted = policy != "none" && common.trusted_ca != trusted;
  if (any_tls_ &&
      (common.client_certificate != policy || common.client_ca != file || others_are_trusted)) {
    return report_.not_served(verify ? verify->at : server.block->at,
                              "\"ssl_verify_client\" is served for all servers alike: usher asks "
                              "clients for certificates everywhere or nowhere");
  }
  const Directive* depth = server.scope.find("ssl_verify_depth");
  const auto most = depth ? parse_decimal<uint32_t>(depth->args.front()) : usual_verify_depth;
  if (!most) return report_.error(depth->at, "invalid number " + in_quotes(depth->args.front()));
  if (policy != "none") {
    // Of several servers the strictest: they share one list of authorities as well.
    common.client_verify_depth = std::min(common.client_verify_depth, *most);
  }
  common.client_certificate = policy;
  common.client_ca = file;
  if (further) common.trusted_ca = trusted;
}

}  // namespace usher::conf::nginx
