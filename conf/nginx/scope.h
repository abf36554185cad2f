// A block and the blocks around it: what holds in it by nginx's inheritance, and nginx's values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conf/nginx/syntax.h"
#include "conf/settings.h"

namespace usher::conf::nginx {

// What `set` said, by name without "$".
using Names = std::map<std::string, std::string, std::less<>>;

struct Scope {
  const std::vector<Directive>* block;
  const Scope* around = nullptr;

  // All of that name in the innermost block that has any.
  std::vector<const Directive*> all(std::string_view name) const;
  // The last of them; nullptr: none.
  const Directive* find(std::string_view name) const;
  // In this very block.
  const Directive* own(std::string_view name) const;
};

// "30", "10m", "1h 30m", "500ms", "1d"; as nginx, a bare number is seconds.
std::optional<Millis> parse_time(std::string_view text);
// "20M", "64k", "1g", "0".
std::optional<uint64_t> parse_size(std::string_view text);
// "all", "unix:", or a network, whose bits beyond the mask are cut off as nginx does.
std::vector<Cidr> parse_networks(std::string_view text);

// Names that `set` has given are replaced by what they stand for.
std::string substitute(std::string_view text, const Names& names);

}  // namespace usher::conf::nginx
