// What a file's name says of its type.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "conf/settings.h"

namespace usher::proxy {

class FileTypes final {
 public:
  explicit FileTypes(const std::vector<conf::TypesSettings>& settings);

  // By the ending of the path's last name, in any case; empty: it says nothing. `set` is the name
  // of one of the settings; empty: what browsers need.
  std::string_view type_of(std::string_view set, std::string_view path) const;

 private:
  using Endings = std::map<std::string, std::string, std::less<>>;
  void add(Endings& endings, std::string_view entry);

  std::map<std::string, Endings, std::less<>> sets_;
};

}  // namespace usher::proxy
