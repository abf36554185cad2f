// The variables that [[map]] makes, ready to be looked up. Immutable.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/regex.h"
#include "conf/settings.h"

namespace usher::proxy {

class ValueMap final {
 public:
  // An expression that does not compile matches nothing; check() of the settings has refused it.
  explicit ValueMap(const conf::MapSettings& settings);

  struct Found {
    const conf::Template& value;
    const Regex* by = nullptr;  // the expression that matched
    bool gave_up = false;       // an expression did: the value means nothing
  };
  // What is written for that source, as nginx looks it up: the text in any case; of hostnames the
  // longest "*.name", then the longest "name.*"; then the first expression that matches, never an
  // empty source; else the default.
  Found find(std::string_view source) const;
  const conf::Template& source() const { return source_; }

 private:
  using Names = std::unordered_map<std::string, conf::Template>;
  const conf::Template* find_text(std::string_view source) const;

  conf::Template source_;
  conf::Template otherwise_;
  bool hostnames_;
  Names texts_;
  Names suffixes_;  // "*.name" under "name"
  Names prefixes_;  // "name.*" under "name"
  std::vector<std::pair<Regex, conf::Template>> expressions_;
};

class ValueMaps final {
 public:
  explicit ValueMaps(const std::vector<conf::MapSettings>& settings);

  // nullptr: no map makes that variable.
  const ValueMap* find(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, ValueMap>> maps_;  // by name
};

}  // namespace usher::proxy
