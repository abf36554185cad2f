// The one table of nginx's directives: where each may stand, how many words it takes, and whether
// usher serves it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "conf/nginx/report.h"
#include "conf/nginx/syntax.h"

namespace usher::conf::nginx {

enum Context : uint8_t {
  in_main = 1,
  in_events = 2,
  in_http = 4,
  in_server = 8,
  in_location = 16,
  in_upstream = 32,
  in_if = 64,
};

enum class Meaning : uint8_t {
  served,
  accepted,  // understood, without effect
  not_served,
};

struct Row {
  std::string_view name;
  uint8_t contexts;
  uint8_t least;  // words after the name
  uint8_t most;
  Meaning meaning = Meaning::served;
  std::string_view because{};  // not served: what to do instead; without effect: why
  bool block = false;
  bool free_block = false;  // what is inside are no directives
};

const Row* row_of(std::string_view name);

// Tells of everything that the table does not allow, inside too.
void check_directives(const std::vector<Directive>& directives, Context context, Report& report);

}  // namespace usher::conf::nginx
