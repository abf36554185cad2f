#include "tls/pem.h"

#include <openssl/pem.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "tls/handles.h"

namespace usher::tls {
namespace {

Error bad(const std::string& file, std::string what) {
  return {Errc::bad_config, Side::usher, file + ": " + std::move(what)};
}

}  // namespace

Result<std::string> read_pem_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return bad(path, "cannot be read");
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Outcome use_certificate(SSL_CTX* raw, const PemPair& pem, const std::string& chain_name,
                        const std::string& key_name) {
  const BioPtr chain(BIO_new_mem_buf(pem.chain.data(), static_cast<int>(pem.chain.size())));
  const X509Ptr leaf(PEM_read_bio_X509_AUX(chain.get(), nullptr, nullptr, nullptr));
  if (!leaf) {
    ERR_clear_error();
    return bad(chain_name, "holds no PEM certificate");
  }
  if (SSL_CTX_use_certificate(raw, leaf.get()) != 1) return bad(chain_name, take_error_text());
  while (X509* next = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    SSL_CTX_add0_chain_cert(raw, next);
  }
  ERR_clear_error();

  const BioPtr key_text(BIO_new_mem_buf(pem.key.data(), static_cast<int>(pem.key.size())));
  // Without a callback OpenSSL would ask for a pass phrase on the terminal.
  const auto no_phrase = [](char*, int, int, void*) { return 0; };
  const KeyPtr key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, no_phrase, nullptr));
  if (!key) {
    ERR_clear_error();
    return bad(key_name, "holds no PEM private key, or one that is encrypted");
  }
  if (X509_check_private_key(leaf.get(), key.get()) != 1) {
    ERR_clear_error();
    return bad(key_name, "is not the key of " + chain_name);
  }
  if (SSL_CTX_use_PrivateKey(raw, key.get()) != 1) return bad(key_name, take_error_text());
  return {};
}

Outcome use_certificate_files(SSL_CTX* context, const std::string& chain, const std::string& key) {
  auto chain_text = read_pem_file(chain);
  if (!chain_text) return std::move(chain_text).error();
  auto key_text = read_pem_file(key);
  if (!key_text) return std::move(key_text).error();
  return use_certificate(context, {std::move(*chain_text), std::move(*key_text)}, chain, key);
}

}  // namespace usher::tls
