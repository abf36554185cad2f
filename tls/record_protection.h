// TLS 1.3 record protection, one direction of one connection (RFC 8446 sections 5.2, 5.3, 7.2 and
// 7.3): the keys that follow from a traffic secret, and records sealed and opened with them. The
// cryptography is OpenSSL's. Private to tls/.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "tls/handles.h"

namespace usher::tls {

enum class ContentType : uint8_t {
  invalid = 0,
  change_cipher_spec = 20,
  alert = 21,
  handshake = 22,
  application_data = 23,
};

// RFC 8446 sections 5.1 and 5.2. Bytes.
constexpr size_t record_header_size = 5;
constexpr size_t most_plaintext = 16 * 1024;
constexpr size_t most_inner_plaintext = most_plaintext + 1;
constexpr size_t most_ciphertext = most_plaintext + 256;
constexpr size_t largest_record = record_header_size + most_ciphertext;
// What sealing adds: the header, the content type and the tag.
constexpr size_t record_overhead = record_header_size + 1 + 16;

// The secret of a direction: as many bytes as the hash of its cipher suite.
struct TrafficSecret {
  std::array<uint8_t, 48> bytes{};
  size_t size = 0;

  TrafficSecret() = default;
  TrafficSecret(const TrafficSecret&) = default;
  TrafficSecret& operator=(const TrafficSecret&) = default;
  ~TrafficSecret();
  std::span<const uint8_t> view() const { return std::span(bytes).first(size); }
};

class RecordProtection final {
 public:
  enum class Use : uint8_t { sealing, opening };

  // Nothing for a cipher suite that is not one of TLS 1.3's AES-GCM and ChaCha20-Poly1305 suites
  // (IANA's number), or for a secret that does not fit it. `sequence` is the number of records that
  // the secret has already protected.
  static std::optional<RecordProtection> make(uint16_t suite, const TrafficSecret& secret, Use use,
                                              uint64_t sequence);

  // Writes one record to `out`, which has room for plain.size() + record_overhead; returns its end.
  // plain: at most most_plaintext.
  char* seal(ContentType type, std::span<const char> plain, char* out);

  struct Opened {
    ContentType type = ContentType::application_data;  // invalid: a record without one
    size_t size = 0;                                   // of what was written
    size_t inner_size = 0;                             // with its type and its padding
  };
  // Opens a whole record into `out`, which has room for as much as the record holds. Nothing if it
  // is not genuine; then the connection must end.
  std::optional<Opened> open(std::span<const char> record, char* out);

  // The next generation of keys (RFC 8446 section 7.2); the sequence begins anew.
  void update();
  uint64_t sequence() const { return sequence_; }

 private:
  struct Suite;
  using CipherContextPtr = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;

  RecordProtection(const Suite& suite, const TrafficSecret& secret, Use use, uint64_t sequence);
  void derive_keys();
  std::array<uint8_t, 12> next_nonce();

  const Suite* suite_;
  CipherContextPtr cipher_;
  TrafficSecret secret_;
  std::array<uint8_t, 12> iv_{};
  Use use_;
  uint64_t sequence_;
};

}  // namespace usher::tls
