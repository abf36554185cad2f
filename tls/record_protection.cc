#include "tls/record_protection.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "tls/hkdf.h"

namespace usher::tls {
namespace {

constexpr size_t tag_size = 16;
constexpr uint8_t legacy_version_major = 3, legacy_version_minor = 3;

// Only a broken OpenSSL, or one without memory, fails at what is asked here.
void demand(bool done) {
  if (!done) std::abort();
}

// Fetched once: to have OpenSSL look up an algorithm by its name costs more than to use it.
struct Ciphers {
  const EVP_CIPHER* aes_128_gcm = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  const EVP_CIPHER* aes_256_gcm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  const EVP_CIPHER* chacha20_poly1305 = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
};

const Ciphers& ciphers() {
  static const Ciphers fetched;
  return fetched;
}

// What TLS 1.3 asks for is never more than the RFCs allow.
void expand_label(const EVP_MD* hash, const TrafficSecret& secret, std::string_view label,
                  std::span<uint8_t> out) {
  demand(hkdf_expand_label(hash, secret.view(), label, {}, out));
}

uint8_t* bytes_at(char* text) { return reinterpret_cast<uint8_t*>(text); }
const uint8_t* bytes_at(const char* text) { return reinterpret_cast<const uint8_t*>(text); }

}  // namespace

struct RecordProtection::Suite {
  uint16_t number;
  const EVP_CIPHER* Ciphers::*cipher;
  const EVP_MD* (*hash)();
  size_t key_size;
  size_t secret_size;

  static const Suite* find(uint16_t number) {
    // RFC 8446 appendix B.4.
    static constexpr Suite rows[] = {
        {0x1301, &Ciphers::aes_128_gcm, &sha256, 16, 32},
        {0x1302, &Ciphers::aes_256_gcm, &sha384, 32, 48},
        {0x1303, &Ciphers::chacha20_poly1305, &sha256, 32, 32},
    };
    const auto* const found = std::find_if(std::begin(rows), std::end(rows),
                                           [&](const Suite& row) { return row.number == number; });
    return found == std::end(rows) ? nullptr : found;
  }
};

TrafficSecret::~TrafficSecret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }

std::optional<RecordProtection> RecordProtection::make(uint16_t suite, const TrafficSecret& secret,
                                                       Use use, uint64_t sequence) {
  const Suite* const row = Suite::find(suite);
  if (!row || row->secret_size != secret.size) return std::nullopt;
  return RecordProtection(*row, secret, use, sequence);
}

RecordProtection::RecordProtection(const Suite& suite, const TrafficSecret& secret, Use use,
                                   uint64_t sequence)
    : suite_(&suite),
      cipher_(EVP_CIPHER_CTX_new()),
      secret_(secret),
      use_(use),
      sequence_(sequence) {
  demand(cipher_ != nullptr);
  derive_keys();
}

void RecordProtection::derive_keys() {
  std::array<uint8_t, 32> key;
  const EVP_MD* const hash = suite_->hash();
  expand_label(hash, secret_, "key", std::span(key).first(suite_->key_size));
  expand_label(hash, secret_, "iv", iv_);
  demand(EVP_CipherInit_ex2(cipher_.get(), ciphers().*suite_->cipher, key.data(), nullptr,
                            use_ == Use::sealing ? 1 : 0, nullptr));
  OPENSSL_cleanse(key.data(), key.size());
}

void RecordProtection::update() {
  TrafficSecret next;
  next.size = secret_.size;
  expand_label(suite_->hash(), secret_, "traffic upd", std::span(next.bytes).first(next.size));
  secret_ = next;
  sequence_ = 0;
  derive_keys();
}

// RFC 8446 section 5.3.
std::array<uint8_t, 12> RecordProtection::next_nonce() {
  std::array<uint8_t, 12> nonce = iv_;
  for (size_t i = 0; i < 8; ++i)
    nonce[11 - i] ^= static_cast<uint8_t>(sequence_ >> (8 * i));
  ++sequence_;
  return nonce;
}

char* RecordProtection::seal(ContentType type, std::span<const char> plain, char* out) {
  const size_t body = plain.size() + 1 + tag_size;
  uint8_t* const header = bytes_at(out);
  header[0] = static_cast<uint8_t>(ContentType::application_data);
  header[1] = legacy_version_major;
  header[2] = legacy_version_minor;
  header[3] = static_cast<uint8_t>(body >> 8);
  header[4] = static_cast<uint8_t>(body);

  const auto nonce = next_nonce();
  const auto inner_type = static_cast<uint8_t>(type);
  uint8_t* const text = header + record_header_size;
  uint8_t* const end = text + plain.size();
  EVP_CIPHER_CTX* const cipher = cipher_.get();
  int size = 0;
  demand(EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data(), -1) &&
         EVP_CipherUpdate(cipher, nullptr, &size, header, record_header_size) &&
         (plain.empty() || EVP_CipherUpdate(cipher, text, &size, bytes_at(plain.data()),
                                            static_cast<int>(plain.size()))) &&
         EVP_CipherUpdate(cipher, end, &size, &inner_type, 1) &&
         EVP_CipherFinal_ex(cipher, end, &size) &&
         EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, tag_size, end + 1));
  return out + record_header_size + body;
}

std::optional<RecordProtection::Opened> RecordProtection::open(std::span<const char> record,
                                                               char* out) {
  if (record.size() < record_header_size + tag_size) return std::nullopt;
  const auto nonce = next_nonce();
  const uint8_t* const header = bytes_at(record.data());
  const size_t text_size = record.size() - record_header_size - tag_size;
  // OpenSSL takes the tag by a pointer that is not const, and does not write to it.
  std::array<uint8_t, tag_size> tag;
  std::memcpy(tag.data(), header + record_header_size + text_size, tag_size);

  EVP_CIPHER_CTX* const cipher = cipher_.get();
  int size = 0;
  demand(EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data(), -1) &&
         EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, tag_size, tag.data()) &&
         EVP_CipherUpdate(cipher, nullptr, &size, header, record_header_size));
  const bool genuine =
      (text_size == 0 || EVP_CipherUpdate(cipher, bytes_at(out), &size, header + record_header_size,
                                          static_cast<int>(text_size))) &&
      EVP_CipherFinal_ex(cipher, bytes_at(out) + text_size, &size);
  if (!genuine) return std::nullopt;

  // TLSInnerPlaintext: the content, its type, and padding of zeros.
  size_t end = text_size;
  while (end > 0 && out[end - 1] == 0)
    --end;
  if (end == 0) return Opened{ContentType::invalid, 0, text_size};
  return Opened{static_cast<ContentType>(out[end - 1]), end - 1, text_size};
}

}  // namespace usher::tls
