#include "control/admin_guard.h"

#include <algorithm>

#include "base/strings.h"

namespace usher::control {
namespace {

constexpr std::string_view bearer = "bearer ";

bool is_loopback(const SocketAddress& address) {
  const auto ip = address.ip_bytes();
  if (ip.size() == 4) return ip[0] == 127;
  return ip.size() == 16 && ip[15] == 1 &&
         std::all_of(ip.begin(), ip.end() - 1, [](uint8_t byte) { return byte == 0; });
}

// Without port, brackets and a final dot.
std::string host_of(std::string_view authority) {
  if (authority.starts_with('[')) return to_lower(cut(authority.substr(1), ']').first);
  std::string_view host = cut(authority, ':').first;
  if (host.ends_with('.')) host.remove_suffix(1);
  return to_lower(host);
}

// By which a browser says that another site has made it send this. Opening a link is none of it.
bool comes_from_elsewhere(const protocol::RequestHead& request) {
  const protocol::Headers& headers = request.headers;
  if (const auto origin = headers.get("Origin")) {
    const size_t scheme = origin->find("://");
    const bool own = scheme != std::string_view::npos &&
                     equals_ignoring_case(origin->substr(scheme + 3), request.authority);
    if (!own) return true;
  }
  const auto site = headers.get("Sec-Fetch-Site");
  if (!site || *site == "same-origin" || *site == "none") return false;
  const bool opens_a_page = request.method == "GET" &&
                            headers.get("Sec-Fetch-Mode").value_or("") == "navigate" &&
                            headers.get("Sec-Fetch-Dest").value_or("") == "document";
  return !opens_a_page;
}

// A page of another site cannot have a browser send one of these without asking first (CORS), and
// is not told yes.
bool no_form_sent_it(const protocol::RequestHead& request) {
  const protocol::Headers& headers = request.headers;
  const std::string_view type = headers.get("Content-Type").value_or("");
  return request.method != "POST" || headers.has("X-Usher-Admin") ||
         headers.has("X-Requested-With") || headers.has("Authorization") ||
         equals_ignoring_case(trim(cut(type, ';').first), "application/json");
}

}  // namespace

AdminGuard::AdminGuard(const conf::AdminSettings& settings, std::string_view node)
    : token_(settings.token), any_name_for_metrics_(settings.hosts.empty()) {
  names_.push_back(host_of(node));
  if (settings.address && !settings.address->host.empty())
    names_.push_back(to_lower(settings.address->host));
  for (const std::string& name : settings.hosts) {
    any_name_ = any_name_ || name == "*";
    names_.push_back(host_of(name));
  }
}

std::optional<Refusal> AdminGuard::refuse(const protocol::RequestHead& request,
                                          const SocketAddress& peer,
                                          const SocketAddress& local) const {
  const std::string_view path = request.path();
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (reads && (path == "/healthz" || path == "/readyz")) return std::nullopt;
  const bool metrics = reads && path == "/metrics";
  if (metrics && any_name_for_metrics_) return std::nullopt;
  if (!names_this(request.authority, local)) {
    return Refusal{
        421, host_of(request.authority) + " is no name of this listener; admin.hosts may name it"};
  }
  if (metrics) return std::nullopt;
  if (comes_from_elsewhere(request)) return Refusal{403, "another site has sent this request"};
  if (!path.starts_with("/api/")) return std::nullopt;
  if (!token_.empty() && !has_token(request))
    return Refusal{401, "expected Authorization: Bearer and admin.token"};
  if (token_.empty() && !peer.is_unix() && !is_loopback(peer))
    return Refusal{403, "without admin.token only clients on this host may use the API"};
  if (!reads && !no_form_sent_it(request))
    return Refusal{403, "what changes something wants the header X-Usher-Admin, such as 1"};
  return std::nullopt;
}

// No browser comes by a unix socket, and none leaves Host out.
bool AdminGuard::names_this(std::string_view authority, const SocketAddress& local) const {
  if (any_name_ || authority.empty() || local.is_unix()) return true;
  const std::string host = host_of(authority);
  if (const auto address = SocketAddress::from_ip(host, 0)) {
    const auto ip = address->ip_bytes();
    const auto own = local.ip_bytes();
    return is_loopback(*address) || std::equal(ip.begin(), ip.end(), own.begin(), own.end());
  }
  return host == "localhost" || host.ends_with(".localhost") ||
         std::find(names_.begin(), names_.end(), host) != names_.end();
}

bool AdminGuard::has_token(const protocol::RequestHead& request) const {
  const auto given = request.headers.get("Authorization");
  return given && starts_with_ignoring_case(*given, bearer) &&
         equals_in_constant_time(trim(given->substr(bearer.size())), token_);
}

}  // namespace usher::control
