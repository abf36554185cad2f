// What a template's variables stand for in one request.
#pragma once

#include <string>
#include <string_view>

#include "conf/settings.h"
#include "protocol/forwarding.h"
#include "protocol/message.h"
#include "routing/routes.h"

namespace usher::proxy {

// Views and pointers live during the call only.
struct VariableSource {
  const protocol::RequestHead& request;  // its fields; before forwarding has changed them
  std::string_view authority;            // as the client asked, like target
  std::string_view target;
  const protocol::ClientFacts& client;
  const protocol::Forwarding& forwarding;
  std::string_view client_address;
  std::string_view request_id;
  const routing::Route& route;
  const protocol::ResponseHead* response = nullptr;
  std::string_view replica{};
};

// Control characters, which a decoded path may have, come out percent-encoded: no value can end a
// header field.
std::string expand(const conf::Template& value, const VariableSource& from);

// What the replica is asked for in the place of the client's target: the route's path at its
// beginning is replaced, the query stays.
std::string replace_path(const routing::Route& route, std::string_view target);

}  // namespace usher::proxy
