// What a template's variables stand for in one request.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/regex.h"
#include "conf/settings.h"
#include "protocol/forwarding.h"
#include "protocol/message.h"
#include "proxy/value_maps.h"
#include "routing/routes.h"

namespace usher::proxy {

class Requester;

// How far an exchange, or the websocket that it has become, has come.
struct Progress {
  WallTime now;
  Duration elapsed{0};
  Duration upstream_header{-1};  // negative: the replica has not answered
  Duration upstream{-1};         // negative: no replica was asked
  uint64_t request_bytes = 0;    // heads with the bodies
  uint64_t response_bytes = 0;
  uint64_t body_bytes = 0;   // of the response
  uint64_t plain_bytes = 0;  // of what was compressed to body_bytes; 0: nothing was
};

// What the expression of a map's entry has found.
struct MapGroups {
  const Regex& expression;
  std::vector<std::string> found;
};

// Views and pointers live during the call only.
struct VariableSource {
  const protocol::RequestHead& request;
  std::span<const protocol::Field> fields;  // of the request, before forwarding has changed them
  bool forwarded = false;                   // it has changed those of `request`
  std::string_view authority;               // as the client asked, like target
  std::string_view target;
  std::string_view served_target;  // likewise, or where a route with files has led
  const Requester& requester;
  const protocol::Forwarding& forwarding;
  std::string_view client_address;
  std::string_view request_id;
  uint64_t request_number = 1;  // on its connection
  const routing::Route* route;  // nullptr: none serves it
  const ValueMaps& maps;
  Progress progress;
  uint16_t status = 0;  // 0: not known yet
  const protocol::ResponseHead* response = nullptr;
  std::string_view replica{};
  const MapGroups* groups = nullptr;  // while a map's value is worked out
  // Gets the name of a map whose expression gave up: what was worked out with it means nothing.
  std::string* undecided = nullptr;
};

// Control characters, which a decoded path may have, come out percent-encoded: no value can end a
// header field.
std::string expand(const conf::Template& value, const VariableSource& from);
// As it is, whatever characters it has.
std::string expand_plainly(const conf::Template& value, const VariableSource& from);
std::string value_of(const conf::TemplatePart& part, const VariableSource& from);

// Does it change until the very end? Then progress_of() has it.
bool is_of_progress(conf::Variable variable);
std::string progress_of(conf::Variable variable, const Progress& progress);

// As many bytes as HTTP/1.1 needs for it.
size_t size_of(const protocol::RequestHead& head);
size_t size_of(const protocol::ResponseHead& head);

// What the replica is asked for in the place of the client's target: the route's path at its
// beginning is replaced, the query stays.
std::string replace_path(const routing::Route& route, std::string_view target);

}  // namespace usher::proxy
