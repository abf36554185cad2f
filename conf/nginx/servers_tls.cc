// What nginx's servers say of TLS: their certificates, and what usher has once for all of them.

#include <algorithm>

#include "conf/nginx/servers.h"
#include "conf/words.h"

namespace usher::conf::nginx {

void Servers::certificates(const Server& server) {
  const auto chains = server.scope.all("ssl_certificate");
  const auto keys = server.scope.all("ssl_certificate_key");
  if (chains.size() != keys.size()) {
    return report_.error(server.block->at,
                         "\"ssl_certificate\" and \"ssl_certificate_key\" belong together");
  }
  const bool tls = std::any_of(server.ports.begin(), server.ports.end(),
                               [&](uint16_t port) { return ports_[port].tls; });
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
  if (const Directive* tickets = server.scope.find("ssl_session_tickets"))
    settings_.tls.session_tickets = settings_.tls.session_tickets && tickets->args[0] != "off";
  if (const Directive* stapling = server.scope.find("ssl_stapling"))
    settings_.tls.ocsp_stapling = stapling->args.front() != "off";
  if (const Directive* ciphers = server.scope.find("ssl_ciphers")) {
    std::string& known = settings_.tls.ciphers;
    if (!known.empty() && known != ciphers->args.front())
      report_.warning(ciphers->at, "\"ssl_ciphers\" are one list for all servers: the last one");
    known = ciphers->args.front();
  }
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

// A server that asked nobody would let everybody in to what another one protects.
void Servers::client_certificates(const Server& server) {
  const Directive* verify = server.scope.find("ssl_verify_client");
  const Directive* authorities = server.scope.find("ssl_client_certificate");
  const std::string how = verify ? verify->args.front() : "off";
  const std::string policy = how == "on" ? "require" : how == "off" ? "none" : "request";
  const std::string file = policy == "none" ? "" : authorities ? authorities->args.front() : "";
  if (how == "optional_no_ca") {
    return report_.not_served(verify->at,
                              "\"optional_no_ca\" is not served: a certificate that "
                              "nobody has verified says nothing");
  }
  if (how != "on" && how != "off" && how != "optional")
    return report_.error(verify->at, "invalid value " + in_quotes(how));
  if (policy != "none" && file.empty())
    return report_.error(verify->at, "no ssl_client_certificate for ssl_verify_client");
  TlsSettings& common = settings_.tls;
  if (any_tls_ && (common.client_certificate != policy || common.client_ca != file)) {
    return report_.not_served(verify ? verify->at : server.block->at,
                              "\"ssl_verify_client\" is served for all servers alike: usher asks "
                              "clients for certificates everywhere or nowhere");
  }
  common.client_certificate = policy;
  common.client_ca = file;
}

}  // namespace usher::conf::nginx
