#include "tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>

#include "base/strings.h"
#include "tls/digest.h"

namespace usher::tls {
namespace {

bool set_mac(EVP_MAC_CTX* mac, std::array<uint8_t, 32> key) {
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.data(), key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  const bool set = EVP_MAC_CTX_set_params(mac, parameters) == 1;
  OPENSSL_cleanse(key.data(), key.size());
  return set;
}

}  // namespace

TicketKeys::Key::Key(const std::string& secret) {
  const KeyedMac derive = make_hmac_sha256(bytes_of(secret));
  const Sha256 known_by = derive("usher session ticket: name");
  std::copy_n(known_by.begin(), name.size(), name.begin());
  cipher = derive("usher session ticket: cipher");
  mac = derive("usher session ticket: mac");
}

TicketKeys::Key::~Key() {
  OPENSSL_cleanse(cipher.data(), cipher.size());
  OPENSSL_cleanse(mac.data(), mac.size());
}

TicketKeys::TicketKeys(const TicketSecrets& secrets)
    : keys_(secrets.secrets.begin(), secrets.secrets.end()), lifetime_(secrets.lifetime) {}

void TicketKeys::use_in(SSL_CTX* context) const {
  SSL_CTX_set_num_tickets(context, keys_.empty() ? 0 : 1);
  if (keys_.empty()) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    return;
  }
  // What a client is told is what holds: for so long the key is kept.
  SSL_CTX_set_timeout(context, static_cast<long>(lifetime_.count()));
  SSL_CTX_set_app_data(context, const_cast<TicketKeys*>(this));
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &TicketKeys::on_ticket);
}

const TicketKeys::Key* TicketKeys::find(const unsigned char* name) const {
  const auto found = std::ranges::find_if(
      keys_, [name](const Key& key) { return std::equal(key.name.begin(), key.name.end(), name); });
  return found == keys_.end() ? nullptr : &*found;
}

// As OpenSSL wants it: below 0 on an error, 0 when no key is known, 1, or 2 when the client shall
// have a new ticket.
int TicketKeys::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                          EVP_MAC_CTX* mac, int sealing) {
  const auto& self = *static_cast<const TicketKeys*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (sealing) {
    const Key& key = self.keys_.front();
    std::copy(key.name.begin(), key.name.end(), name);
    const bool ready =
        RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
        EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), key.cipher.data(), iv, nullptr) == 1 &&
        set_mac(mac, key.mac);
    return ready ? 1 : -1;
  }
  const Key* const key = self.find(name);
  if (!key) return 0;
  const bool ready =
      EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), key->cipher.data(), iv, nullptr) == 1 &&
      set_mac(mac, key->mac);
  if (!ready) return -1;
  // A ticket of TLS 1.3 is used once (RFC 8446 appendix C.4).
  const bool renew = key != &self.keys_.front() || SSL_version(ssl) == TLS1_3_VERSION;
  return renew ? 2 : 1;
}

}  // namespace usher::tls
