#include "tls/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <cstdlib>

namespace usher::tls {

Sha256 hmac_sha256(std::span<const uint8_t> key, std::string_view data) {
  Sha256 mac{};
  unsigned length = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
  if (!::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, data.size(),
              mac.data(), &length)) {
    std::abort();  // only a broken OpenSSL has no SHA-256
  }
  return mac;
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
