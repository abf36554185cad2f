// Who may use a route: by the client's address, by a name and a password, or by one of them.

#include <span>

#include "base/address.h"
#include "base/network.h"
#include "proxy/exchange.h"
#include "proxy/requester.h"
#include "proxy/worker.h"

namespace usher::proxy {
// A client of a unix socket has no address, and is in "unix:" alone.
Exchange::Admission Exchange::admission_by_address() const {
  const conf::RouteSettings& rules = route_->rules;
  const auto address = SocketAddress::from_ip(client_address_, 0);
  const auto ip = address ? address->ip_bytes() : std::span<const uint8_t>();
  if (protocol::in_any(rules.deny, ip)) return Admission::refused;
  if (rules.allow.empty()) return Admission::unsaid;
  return protocol::in_any(rules.allow, ip) ? Admission::granted : Admission::refused;
}

// As with nginx, the address is asked first.
Outcome Exchange::pass_access() {
  const Admission by_address = admission_by_address();
  const bool either = route_->rules.satisfy == conf::Satisfy::any;
  if (either && by_address == Admission::granted) return serve_route();
  if (!either && by_address == Admission::refused) return forbid();
  const bool asks = asks_for_password();
  if (!undecided_.empty()) return undecided();
  if (asks) return check_password();
  return by_address == Admission::refused ? forbid() : serve_route();
}

Outcome Exchange::forbid() {
  respond(make_status_response(403, wants_page(request_)));
  return {};
}

bool Exchange::asks_for_password() const {
  const conf::BasicAuthSettings& rules = route_->rules.basic_auth;
  return !rules.file.empty() && expand(rules.realm, variables(nullptr)) != "off";
}

Outcome Exchange::check_password() {
  const auto file = snapshot_->passwords.find(route_->rules.basic_auth.file);
  const auto given = protocol::parse_basic_credentials(
      request_.headers.get("Authorization").value_or(std::string_view()));
  if (file == snapshot_->passwords.end()) {
    return Error{Errc::system, Side::usher, "no passwords: " + route_->rules.basic_auth.file};
  }
  if (!given) {
    ask_for_password();
    return {};
  }
  PasswordChecker& passwords = worker_.passwords();
  if (passwords.remembers(*file->second, *given)) return serve_route();
  const auto address = SocketAddress::from_ip(client_address_, 0);
  const std::string_view network = address ? network_of(address->ip_bytes()) : std::string_view();
  const auto standing = passwords.standing(*file->second, *given, network);
  if (standing.repeated) {
    on_verdict(PasswordChecker::Verdict::wrong, given->name);
    return {};
  }
  if (standing.wait.count() > 0) {
    refuse({Errc::passwords_busy, Side::client,
            std::to_string(standing.failures) + " wrong passwords from this address"},
           429, std::chrono::ceil<std::chrono::seconds>(standing.wait));
    return {};
  }
  lookup_ = passwords.check(
      *file->second, *given, network,
      [this, name = given->name](PasswordChecker::Verdict verdict) { on_verdict(verdict, name); });
  return {};
}

void Exchange::on_verdict(PasswordChecker::Verdict verdict, const std::string& name) {
  switch (verdict) {
    case PasswordChecker::Verdict::busy:
      return fail({Errc::passwords_busy, Side::usher, "the password of " + name});
    case PasswordChecker::Verdict::wrong:
      error_ = {Errc::bad_password, Side::client, "of " + name};
      return ask_for_password();
    case PasswordChecker::Verdict::right: break;
  }
  if (Outcome served = serve_route(); !served) fail(std::move(served).error());
}

void Exchange::ask_for_password() {
  OwnResponse response = make_status_response(401, wants_page(request_));
  const std::string realm = expand(route_->rules.basic_auth.realm, variables(nullptr));
  response.head.headers.append("WWW-Authenticate", protocol::make_basic_challenge(realm));
  respond(std::move(response));
}

}  // namespace usher::proxy
