// One connection to the proxy, plain or TLS. Never blocks. Whatever a healthy proxy does not do
// ends the program; the one thing that a caller may ask about is a clean end (`ended`).
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bench/payload.h"

namespace usher::bench {

// A client's context: TLS 1.3, one cipher suite, one group, one signature algorithm, so that every
// proxy does the same cryptography; no resumption; the certificate is not verified.
SSL_CTX* make_tls_context();

class Channel {
 public:
  // Begins to connect to 127.0.0.1:port. `tls`: nullptr for plain.
  Channel(uint16_t port, SSL_CTX* tls);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  int socket() const { return socket_; }
  // Goes on with connecting and the handshake; true when bytes may be sent.
  bool establish();
  // What to wait for: events of epoll.
  uint32_t wants() const;

  // Appends all that is there.
  void read(std::string& in);
  // Throws away up to `most` bytes of what is there; returns how many.
  size_t discard(size_t most);
  // Returns how many bytes were taken; fewer than all: wait until the socket is writable.
  size_t write(std::string_view bytes);
  // The same with `left` bytes of the payload.
  size_t write(const Payload& payload, size_t left);
  // Nothing more will come, and TLS said so as well.
  bool ended() const { return ended_; }

  // Protocol, cipher suite and group; "" when plain.
  std::string cryptography() const;

 private:
  size_t read_some(char* into, size_t room);
  // After an SSL_* call that did not succeed: fails on an error.
  void check(int result, const char* what);

  int socket_;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
  bool established_ = false;
  bool write_blocked_ = true;  // so it is until connect() has succeeded
  bool ended_ = false;
};

}  // namespace usher::bench
