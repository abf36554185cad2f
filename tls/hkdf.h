// HKDF (RFC 5869) and the labels that TLS 1.3 gives it (RFC 8446 section 7.1), with the hashes of
// its cipher suites. Private to tls/.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace usher::tls {

// Fetched once: to have OpenSSL look up an algorithm by its name costs more than to use it.
const EVP_MD* sha256();
const EVP_MD* sha384();

using Bytes = std::span<const uint8_t>;

// HKDF-Extract. Writes as many bytes as the hash has. False for a salt longer than the hash's
// block.
bool hkdf_extract(const EVP_MD* hash, Bytes salt, Bytes secret, uint8_t* out);

// HKDF-Expand-Label; `label` is without "tls13 ". False for what the RFCs do not allow: a label
// longer than 249 bytes, a context longer than 255, more than 255 blocks; and for a secret longer
// than the hash's block.
bool hkdf_expand_label(const EVP_MD* hash, Bytes secret, std::string_view label, Bytes context,
                       std::span<uint8_t> out);

}  // namespace usher::tls
