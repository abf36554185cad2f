// What is served under which server name (SNI, RFC 6066 section 3): the name itself, else a
// wildcard in the place of its first label (RFC 6125 section 6.4.3).
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "base/strings.h"

namespace usher::tls {

template <typename Served>
class ServerNames final {
 public:
  // A name in lower case, which may begin with "*.". The first one to be added stays.
  void add(const std::string& name, Served served) { by_name_.emplace(name, served); }

  // Whatever the case that a client asks in. nullptr: nothing is.
  const Served* find(std::string_view server_name) const {
    const std::string name = to_lower(server_name);
    if (const auto exact = by_name_.find(name); exact != by_name_.end()) return &exact->second;
    const size_t dot = name.find('.');
    if (dot == 0 || dot == std::string::npos) return nullptr;
    const auto wildcard = by_name_.find("*" + name.substr(dot));
    return wildcard == by_name_.end() ? nullptr : &wildcard->second;
  }

 private:
  std::unordered_map<std::string, Served, StringHash, std::equal_to<>> by_name_;
};

}  // namespace usher::tls
