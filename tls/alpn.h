// The protocols that a TLS listener offers, in ALPN's wire format (RFC 7301 section 3.1), best
// first.
#pragma once

#include <string>
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

 private:
  std::string wire_;
};

}  // namespace usher::tls
