// What a template's variables stand for in one request.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/regex.h"
#include "conf/settings.h"
#include "protocol/forwarding.h"
#include "protocol/message.h"
#include "proxy/value_maps.h"
#include "routing/routes.h"

namespace usher::proxy {

// What the expression of a map's entry has found.
struct MapGroups {
  const Regex& expression;
  std::vector<std::string> found;
};

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
  const ValueMaps& maps;
  const protocol::ResponseHead* response = nullptr;
  std::string_view replica{};
  const MapGroups* groups = nullptr;  // while a map's value is worked out
};

// Control characters, which a decoded path may have, come out percent-encoded: no value can end a
// header field.
std::string expand(const conf::Template& value, const VariableSource& from);

// What the replica is asked for in the place of the client's target: the route's path at its
// beginning is replaced, the query stays.
std::string replace_path(const routing::Route& route, std::string_view target);

}  // namespace usher::proxy
