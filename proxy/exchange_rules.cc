// What a route makes of an Exchange beyond sending it to a replica: the answers that it gives
// itself, and what it changes in a request and in a response.

#include <algorithm>
#include <array>
#include <utility>

#include "protocol/request_path.h"
#include "proxy/exchange.h"
#include "proxy/requester.h"
#include "proxy/worker.h"

namespace usher::proxy {
namespace {

constexpr std::string_view challenge_path = "/.well-known/acme-challenge/";

bool is_success(uint16_t status) {
  constexpr std::array<uint16_t, 10> successes{200, 201, 204, 206, 301, 302, 303, 304, 307, 308};
  return std::find(successes.begin(), successes.end(), status) != successes.end();
}

bool only_asks(const protocol::RequestHead& request) {
  return request.method == "GET" || request.method == "HEAD";
}

}  // namespace

// True: the request is answered.
bool Exchange::answer_by_route() {
  const conf::RouteSettings& rules = route_->rules;
  if (route_->redirects()) {
    OwnResponse redirect =
        make_redirect(expand(rules.redirect, variables(nullptr)), rules.redirect_status);
    if (!fail_undecided()) respond(std::move(redirect));
    return true;
  }
  if (route_->serves_files()) {
    respond_with_file();
    return true;
  }
  if (rules.stub_status) {
    respond_with_stub_status();
    return true;
  }
  if (route_->status == no_answer) {
    close_without_answer();
    return true;
  }
  if (route_->status == 0) return false;
  OwnResponse response = rules.body.empty()
                             ? make_status_response(route_->status, wants_page(request_))
                             : make_text_response(route_->status, rules.content_type,
                                                  expand(rules.body, variables(nullptr)));
  if (!fail_undecided()) respond(std::move(response));
  return true;
}

// What follows from an expression that gave up is not known, and so nothing follows.
Error Exchange::undecided() const {
  return {Errc::expression_gave_up, Side::usher, "an expression of " + undecided_};
}

// True: that is answered. Once.
bool Exchange::fail_undecided() {
  if (undecided_.empty() || error_.code == Errc::expression_gave_up) return false;
  fail(undecided());
  return true;
}

// RFC 9110 section 7.6.2: how many proxies an OPTIONS may still pass. True: this one is the last,
// and the request is answered.
bool Exchange::answer_as_last() {
  if (request_.method != "OPTIONS") return false;
  const auto field = request_.headers.get("Max-Forwards");
  const auto left = field ? parse_decimal<uint32_t>(*field) : std::nullopt;
  if (!left) return false;
  if (*left > 0) {
    request_.headers.set("Max-Forwards", std::to_string(*left - 1));
    return false;
  }
  respond(make_text_response(200, "text/plain", {}));
  return true;
}

void Exchange::close_without_answer() {
  status_ = no_answer;
  client_.break_off();
  finish(false);
}

void Exchange::read_challenge() {
  if (!request_.path().starts_with(challenge_path) || !only_asks(request_)) return;
  const std::string_view token = request_.path().substr(challenge_path.size());
  if (!routing::is_challenge_token(token)) return;
  if (!worker_.shared().unknown_keys.has(routing::challenge_key(token))) challenge_ = token;
}

// Another node may have been given what is to be answered: the store knows. What it does not know
// is any other request.
Outcome Exchange::ask_for_challenge() {
  route_ = nullptr;  // whose rules are not for what the store says
  const std::string_view token = std::exchange(challenge_, {});
  lookup_ = worker_.challenges().find_challenge(
      token, [this, token](Result<std::optional<std::string>> known) {
        if (known && *known)
          return respond(make_text_response(200, "application/octet-stream", std::move(**known)));
        if (known) worker_.shared().unknown_keys.add(routing::challenge_key(token));
        if (Outcome served = find_route(); !served) fail(std::move(served).error());
      });
  return {};
}

// Whoever issues a certificate asks on plain HTTP (RFC 8555 section 8.3), and is not to need the
// one that it is about to issue: what is there for it goes before the redirect to https.
bool Exchange::answers_challenges() const {
  if (!request_.path().starts_with(challenge_path)) return false;
  const routing::Route* route =
      snapshot_->routes.find(request_.authority, request_.path(), client_.role().entrance);
  return route && (route->path + "/").starts_with(challenge_path);
}

void Exchange::respond_with_stub_status() {
  if (!only_asks(request_)) return respond(make_only_get(wants_page(request_)));
  respond(make_text_response(200, "text/plain", to_text(worker_.shared().stub_status())));
}

// What the client has sent, before forwarding changes it. The text lives as long as the request.
void Exchange::keep_asked_fields() {
  if (!route_->response_has_variables && !snapshot_->logs->has_texts()) return;
  asked_fields_.assign(request_.headers.begin(), request_.headers.end());
}

void Exchange::keep_response(protocol::ResponseHead& head) {
  if (!snapshot_->logs->has_texts()) return;
  response_size_ = size_of(head);
  response_ = std::make_unique<const protocol::ResponseHead>(std::move(head));
}

Progress Exchange::progress() const {
  const MonotonicTime now = worker_.loop().now();
  const auto between = [](MonotonicTime from, MonotonicTime to) {
    return std::chrono::duration_cast<Duration>(to - from);
  };
  Progress made{.now = worker_.shared().clock.wall(),
                .elapsed = between(started_, now),
                .request_bytes = request_size_ + bytes_in_,
                .response_bytes = response_size_ + bytes_out_,
                .body_bytes = bytes_out_,
                .plain_bytes = compressed_ ? compressed_->plain_bytes() : 0};
  if (attempts_ > 0) made.upstream = between(leased_, now);
  if (attempts_ > 0 && first_byte_) made.upstream_header = between(leased_, *first_byte_);
  return made;
}

VariableSource Exchange::variables(const protocol::ResponseHead* response) const {
  using Fields = std::span<const protocol::Field>;
  const bool kept = !asked_fields_.empty();
  return {.request = request_,
          .fields = kept ? Fields(asked_fields_) : Fields(request_.headers),
          .forwarded = kept,
          .authority = asked_authority_,
          .target = asked_target_,
          .served_target = served_target_,
          .requester = client_,
          .forwarding = forwarding(),
          .client_address = client_address_.empty() ? client_.facts().ip_text : client_address_,
          .request_id = request_.headers.get("X-Request-Id").value_or(""),
          .request_number = request_number_,
          .route = route_,
          .maps = snapshot_->maps,
          .progress = progress(),
          .status = response ? response->status : status_,
          .response = response,
          .replica = replica_id_,
          .groups = nullptr,
          .undecided = &undecided_};
}

// Values are of the request as it came; then it is prepared as any other, and they are set.
Outcome Exchange::apply_request_rules() {
  const conf::RouteSettings& rules = route_->rules;
  std::vector<std::pair<std::string_view, std::string>> values;
  name_request();
  for (const conf::HeaderSetting& header : rules.set_headers)
    values.emplace_back(header.name, expand(header.value, variables(nullptr)));
  if (!undecided_.empty()) return undecided();
  if (!rules.replace_path.empty())
    request_.target = request_.headers.keep(replace_path(*route_, served_target_));
  forward_headers();
  for (const auto& [name, value] : values) {
    if (equals_ignoring_case(name, "host")) {
      if (!value.empty()) request_.authority = request_.headers.keep(value);
    } else if (value.empty()) {
      request_.headers.remove_every(name);
    } else {
      request_.headers.set_alone(name, value);
    }
  }
  return {};
}

// What a replica that merges trailers into the headers would believe must have passed the same
// rules as those.
void Exchange::filter_request_trailers(protocol::Headers& trailers) const {
  if (!route_->rules.request_trailers) return trailers.clear();
  snapshot_->forwarding.strip_trailers(trailers, client_.facts());
  trailers.remove_if([&](const protocol::Field& field) {
    return std::ranges::any_of(route_->rules.set_headers, [&](const conf::HeaderSetting& header) {
      return protocol::are_twins(field.name, header.name);
    });
  });
}

// The same of a client that merges, and of what is removed.
void Exchange::filter_response_trailers(protocol::Headers& trailers) const {
  for (const std::string& name : route_->rules.remove_headers)
    trailers.remove(name);
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
  if (!route_->rewriting.empty()) rewrite(head);
  for (const auto& [name, value] : values) {
    if (!value.empty()) head.headers.append(name, value);
  }
}

void Exchange::rewrite(protocol::ResponseHead& head) const {
  const bool decided = route_->rewriting.apply(
      head.headers, [&](const conf::Template& text, const protocol::Rewriting::Groups* found) {
        VariableSource source = variables(&head);
        if (!found) return expand(text, source);
        const MapGroups groups{found->expression, found->found};
        source.groups = &groups;
        return expand(text, source);
      });
  if (!decided) undecided_ = "a rule for redirects or cookies";
}

}  // namespace usher::proxy
