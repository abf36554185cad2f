// Who may use the admin listener. A page in a browser on this network can make that browser send
// requests here, under a name that leads here for a moment (DNS rebinding) or from another site:
// none of them is carried out. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "conf/settings.h"
#include "protocol/message.h"

namespace usher::control {

struct Refusal {
  uint16_t status;
  std::string detail;
};

class AdminGuard final {
 public:
  // `node`: the name of this host.
  AdminGuard(const conf::AdminSettings& settings, std::string_view node);

  // Why the request is not carried out; nothing: it is. `peer` and `local` are the ends of its
  // connection. In this order: its Host names this listener (else 421); no other site has made the
  // browser send it (403); it has the token, or comes from this host where there is none (401,
  // 403); what changes something says so in a way that a form cannot (403). /healthz, /readyz and
  // /metrics want the first alone, and /metrics only where settings.hosts names any.
  std::optional<Refusal> refuse(const protocol::RequestHead& request, const SocketAddress& peer,
                                const SocketAddress& local) const;

 private:
  bool names_this(std::string_view authority, const SocketAddress& local) const;
  bool has_token(const protocol::RequestHead& request) const;

  std::vector<std::string> names_;  // in lower case
  std::string token_;
  bool any_name_ = false;
  bool any_name_for_metrics_;
};

}  // namespace usher::control
