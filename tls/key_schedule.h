// The key schedule of TLS 1.3 (RFC 8446 section 7.1) as OpenSSL asks for it: its "TLS13-KDF"
// (provider-kdf(7), EVP_KDF-TLS13_KDF(7)), in a provider of our own. For two reasons: libssl tells
// nobody the traffic secrets but in its key log, as text that costs 7 % of a handshake; and its own
// KDF looks its HMAC and its digest up at each of a handshake's twenty calls. Private to tls/.
#pragma once

#include "tls/handshake_notes.h"

namespace usher::tls {

// For SSL_CTX_new_ex(): prefers this KDF, and leaves all else as it is. Loads the provider into
// OpenSSL's default library context when first called.
const char* key_schedule_properties();

// While it lives, the first application traffic secrets that this thread derives go to `notes`;
// only those of one connection may be derived meanwhile.
class SecretsGoTo final {
 public:
  explicit SecretsGoTo(HandshakeNotes& notes);
  ~SecretsGoTo();
  SecretsGoTo(const SecretsGoTo&) = delete;
  SecretsGoTo& operator=(const SecretsGoTo&) = delete;
};

}  // namespace usher::tls
