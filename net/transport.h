// How bytes cross a connected socket: as they are, or through TLS. A Transport holds no descriptor
// and knows no loop; Stream calls it when the socket may be ready.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/error.h"

namespace usher::net {

enum class IoStatus : uint8_t {
  done,   // bytes moved; `drained` says whether the socket had no more
  again,  // nothing of use now; what comes next on the socket may change that
  end,    // the peer ended its side in an orderly way
  error,  // the connection is broken; error_text() says how
};

struct IoResult {
  IoStatus status;
  size_t bytes = 0;
  bool drained = false;  // reads: no more until the next event, so no further call is needed
};

enum class TlsVersion : uint8_t { none, tls_1_2, tls_1_3 };

// What the handshake found out about the peer.
struct PeerFacts {
  TlsVersion tls = TlsVersion::none;
  bool resumed = false;       // a TLS session of before
  bool unknown_name = false;  // it asked for a name that is not served (RFC 6066 section 3)
  const char* cipher = "";    // OpenSSL's name, a literal
  std::string server_name;    // that it asked for; or empty
  // Of the certificate that it has shown, and that was verified; or empty.
  std::string subject;      // RFC 2253: "CN=alice,O=Example"
  std::string fingerprint;  // SHA-256, in lower-case hexadecimal
  // Where the connection comes from and what it was made to, if a proxy in between has said so.
  std::optional<SocketAddress> source;
  std::optional<SocketAddress> destination;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Goes on with the opening handshake: done, again, end or error. Plain: done at once.
  virtual IoResult handshake(int fd) = 0;
  // Once, when the handshake is done: what carries the connection from now on in this one's place;
  // nullptr: this one goes on.
  virtual std::unique_ptr<Transport> take_successor() { return nullptr; }
  // `into` has room for at least least_room() bytes, which is never more than smallest_read.
  static constexpr size_t smallest_read = 17 * 1024;
  virtual size_t least_room() const { return 4 * 1024; }
  virtual IoResult read(int fd, std::span<char> into) = 0;
  virtual IoResult write(int fd, std::span<const char> from) = 0;
  // Says that nothing more will be written; the socket's own FIN is Stream's to send.
  virtual IoResult finish(int fd) = 0;
  // True while read() could return bytes without an event on the socket.
  virtual bool has_buffered() const = 0;
  virtual std::string error_text() const = 0;

  // What ALPN chose ("http/1.1"); empty without TLS or without ALPN.
  virtual std::string_view protocol() const { return {}; }
  virtual bool secure() const { return false; }
  // Once, when the handshake is done and before take_successor(). nullptr: there is nothing to say.
  virtual std::unique_ptr<PeerFacts> take_peer_facts() { return nullptr; }
  // What a handshake that ended with an error is called.
  virtual Errc handshake_errc() const { return Errc::tls_handshake_failed; }
};

std::unique_ptr<Transport> make_plain_transport();

}  // namespace usher::net
