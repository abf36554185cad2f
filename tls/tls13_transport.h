// TLS 1.3 after its handshake (RFC 8446 section 5): what OpenSSL has agreed on is taken over, and
// OpenSSL's connection object, most of an idle connection's memory, is let go. Private to tls/.
//
// Several records leave in one system call. KeyUpdates are answered; nothing else of the handshake
// protocol may come after the handshake.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/transport.h"
#include "tls/record_protection.h"

namespace usher::tls {

struct Tls13Takeover {
  RecordProtection sealing;
  RecordProtection opening;
  std::string received;       // behind the handshake: records that nobody has looked at yet
  std::string_view protocol;  // what ALPN chose; lives as long as the listener
};

std::unique_ptr<net::Transport> make_tls13_transport(Tls13Takeover takeover);

}  // namespace usher::tls
