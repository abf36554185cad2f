#include "tls/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <cstdlib>
#include <memory>

#include "tls/handles.h"

namespace usher::tls {
namespace {

using MacPtr = std::unique_ptr<EVP_MAC, FreeWith<EVP_MAC_free>>;

// Only a broken OpenSSL has no HMAC or no SHA-256.
void demand(bool done) {
  if (!done) std::abort();
}

}  // namespace

KeyedMac make_hmac_sha256(std::span<const uint8_t> key) {
  const MacPtr hmac(EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr));
  demand(hmac != nullptr);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  const std::shared_ptr<EVP_MAC_CTX> context(EVP_MAC_CTX_new(hmac.get()), &EVP_MAC_CTX_free);
  // A null key would mean "the one before".
  static constexpr unsigned char nothing = 0;
  demand(context &&
         EVP_MAC_init(context.get(), key.empty() ? &nothing : key.data(), key.size(), parameters));

  return [context](std::string_view data) {
    Sha256 mac{};
    size_t length = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
    demand(EVP_MAC_init(context.get(), nullptr, 0, nullptr) &&
           EVP_MAC_update(context.get(), bytes, data.size()) &&
           EVP_MAC_final(context.get(), mac.data(), &length, mac.size()));
    return mac;
  };
}

std::string websocket_accept(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH];
  ::SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  unsigned char encoded[32];
  const int length = ::EVP_EncodeBlock(encoded, digest, sizeof digest);
  return {reinterpret_cast<const char*>(encoded), static_cast<size_t>(length)};
}

}  // namespace usher::tls
