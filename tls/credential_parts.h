// What a Credential is made of, and how a context takes it. Private to tls/.
#pragma once

#include <openssl/ssl.h>

#include <string_view>
#include <vector>

#include "tls/credential.h"
#include "tls/handles.h"

namespace usher::tls {

struct Credential::Parts {
  X509Ptr leaf;
  std::vector<X509Ptr> intermediates;
  KeyPtr key;
  X509Ptr issuer;  // nullptr: it is not known
};

// All of a PEM text.
std::vector<X509Ptr> certificates_in(std::string_view pem);

// A context has one credential for each type of key; OpenSSL shows what the peer can verify. False:
// OpenSSL refuses it, and its error queue says why.
bool use_credential(SSL_CTX* context, const Credential& credential);

}  // namespace usher::tls
