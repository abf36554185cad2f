// The protocols that a TLS listener offers, in ALPN's wire format (RFC 7301 section 3.1), best
// first.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace usher::tls {

class AlpnProtocols final {
 public:
  explicit AlpnProtocols(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      wire_.push_back(static_cast<char>(name.size()));
      wire_ += name;
    }
  }
  const std::string& wire() const { return wire_; }
  // The same name, as a view that lives as long as this; empty if it is none of these.
  std::string_view known(std::string_view name) const {
    for (std::string_view rest = wire_; !rest.empty();) {
      const auto size = static_cast<size_t>(rest.front());
      if (rest.substr(1, size) == name) return rest.substr(1, size);
      rest.remove_prefix(1 + size);
    }
    return {};
  }

 private:
  std::string wire_;
};

}  // namespace usher::tls
