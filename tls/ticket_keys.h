// The keys that seal and open session tickets (RFC 5077 section 4, RFC 8446 section 4.6.1), each
// made from one secret: AES-256-CBC, then HMAC-SHA-256. Private to tls/.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <cstdint>
#include <vector>

#include "tls/ticket_secrets.h"

namespace usher::tls {

class TicketKeys final {
 public:
  explicit TicketKeys(const TicketSecrets& secrets);

  // Makes the context's tickets with these keys, or turns them off when there are none. This
  // outlives every handshake of the context.
  void use_in(SSL_CTX* context) const;

 private:
  struct Key {
    explicit Key(const std::string& secret);
    Key(const Key&) = default;
    Key& operator=(const Key&) = default;
    ~Key();

    std::array<uint8_t, 16> name;  // says in the ticket which one it is
    std::array<uint8_t, 32> cipher;
    std::array<uint8_t, 32> mac;
  };

  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, int sealing);
  const Key* find(const unsigned char* name) const;

  std::vector<Key> keys_;
  std::chrono::seconds lifetime_;
};

}  // namespace usher::tls
