// What a route makes of an Exchange beyond sending it to a replica: who may use it, the answers
// that it gives itself, and what it changes in a request and in a response.

#include <algorithm>
#include <array>
#include <utility>

#include "base/address.h"
#include "proxy/exchange.h"
#include "proxy/requester.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

// nginx's number for: close the connection, say nothing.
constexpr uint16_t no_answer = 444;

bool is_success(uint16_t status) {
  constexpr std::array<uint16_t, 10> successes{200, 201, 204, 206, 301, 302, 303, 304, 307, 308};
  return std::find(successes.begin(), successes.end(), status) != successes.end();
}

bool in_any(const std::vector<conf::Cidr>& networks, std::span<const uint8_t> ip) {
  return std::any_of(networks.begin(), networks.end(),
                     [ip](const conf::Cidr& network) { return protocol::contains(network, ip); });
}

}  // namespace

// A client of a unix socket has no address: it is local.
bool Exchange::allowed() const {
  const auto address = SocketAddress::from_ip(client_address_, 0);
  if (!address) return true;
  const auto ip = address->ip_bytes();
  if (in_any(route_->rules.deny, ip)) return false;
  return route_->rules.allow.empty() || in_any(route_->rules.allow, ip);
}

// True: the request is answered.
bool Exchange::answer_by_route() {
  const conf::RouteSettings& rules = route_->rules;
  if (route_->has_access_rules && !allowed()) {
    respond(make_status_response(403, wants_page(request_)));
    return true;
  }
  if (route_->redirects()) {
    respond(make_redirect(expand(rules.redirect, variables(nullptr)), rules.redirect_status));
    return true;
  }
  if (route_->status == no_answer) {
    status_ = no_answer;
    client_.break_off();
    finish(false);
    return true;
  }
  if (route_->status == 0) return false;
  respond(rules.body.empty() ? make_status_response(route_->status, wants_page(request_))
                             : make_text_response(route_->status, rules.content_type,
                                                  expand(rules.body, variables(nullptr))));
  return true;
}

VariableSource Exchange::variables(const protocol::ResponseHead* response) const {
  return {.request = request_,
          .authority = asked_authority_,
          .target = asked_target_,
          .client = client_.facts(),
          .forwarding = snapshot_->forwarding,
          .client_address = client_address_,
          .request_id = request_.headers.get("X-Request-Id").value_or(""),
          .route = *route_,
          .response = response,
          .replica = replica_id_};
}

// Values are of the request as it came; then it is prepared as any other, and they are set.
void Exchange::apply_request_rules() {
  const conf::RouteSettings& rules = route_->rules;
  std::vector<std::pair<std::string_view, std::string>> values;
  name_request();
  for (const conf::HeaderSetting& header : rules.set_headers)
    values.emplace_back(header.name, expand(header.value, variables(nullptr)));
  if (!rules.replace_path.empty())
    request_.target = request_.headers.keep(replace_path(*route_, asked_target_));
  forward_headers();
  for (const auto& [name, value] : values) {
    if (equals_ignoring_case(name, "host")) {
      if (!value.empty()) request_.authority = request_.headers.keep(value);
    } else if (value.empty()) {
      request_.headers.remove(name);
    } else {
      request_.headers.set(name, value);
    }
  }
}

void Exchange::apply_response_rules(protocol::ResponseHead& head) const {
  const conf::RouteSettings& rules = route_->rules;
  std::vector<std::pair<std::string_view, std::string>> values;
  const auto expand_all = [&](const std::vector<conf::HeaderSetting>& headers) {
    for (const conf::HeaderSetting& header : headers)
      values.emplace_back(header.name, expand(header.value, variables(&head)));
  };
  expand_all(rules.add_headers);
  if (is_success(head.status)) expand_all(rules.add_headers_on_success);
  for (const std::string& name : rules.remove_headers)
    head.headers.remove(name);
  for (const auto& [name, value] : values) {
    if (!value.empty()) head.headers.append(name, value);
  }
}

}  // namespace usher::proxy
