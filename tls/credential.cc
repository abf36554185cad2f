#include "tls/credential.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <utility>

#include "base/strings.h"
#include "tls/credential_parts.h"
#include "tls/pem.h"

namespace usher::tls {
namespace {

Error bad(const std::string& file, std::string_view what) {
  ERR_clear_error();
  return {Errc::bad_config, Side::usher, file + ": " + std::string(what)};
}

// OpenSSL would ask for a pass phrase on the terminal.
int no_phrase(char*, int, int, void*) { return 0; }

std::vector<std::string> names_of(X509* leaf) {
  std::vector<std::string> names;
  auto* alternatives =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type != GEN_DNS) continue;
    const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    names.push_back(to_lower({text, static_cast<size_t>(ASN1_STRING_length(name->d.dNSName))}));
  }
  GENERAL_NAMES_free(alternatives);
  if (names.empty()) {
    char common[256];
    if (X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, common,
                                  sizeof common) > 0) {
      names.push_back(to_lower(common));
    }
  }
  return names;
}

WallTime to_wall_time(const ASN1_TIME* time) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

BioPtr bio_of(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::vector<X509Ptr> read_certificates(BIO* from) {
  std::vector<X509Ptr> all;
  while (X509* next = PEM_read_bio_X509_AUX(from, nullptr, &no_phrase, nullptr))
    all.emplace_back(next);
  ERR_clear_error();  // their end is one
  return all;
}

X509Ptr issuer_among(const std::vector<X509Ptr>& candidates, X509* leaf) {
  for (const X509Ptr& candidate : candidates) {
    if (X509_check_issued(candidate.get(), leaf) != X509_V_OK) continue;
    X509_up_ref(candidate.get());
    return X509Ptr(candidate.get());
  }
  return nullptr;
}

}  // namespace

std::vector<X509Ptr> certificates_in(std::string_view pem) {
  return read_certificates(bio_of(pem).get());
}

Result<std::shared_ptr<const Credential>> Credential::load(const std::string& chain,
                                                           const std::string& key,
                                                           const std::string& authorities,
                                                           const Files& files) {
  auto chain_text = read_pem_file(files, chain);
  if (!chain_text) return std::move(chain_text).error();
  auto key_text = read_pem_file(files, key);
  if (!key_text) return std::move(key_text).error();
  auto others = authorities.empty() ? Result<std::string>("") : read_pem_file(files, authorities);
  if (!others) return std::move(others).error();
  return make({std::move(*chain_text), std::move(*key_text)}, chain, files.called(chain),
              files.called(key), *others);
}

Result<std::shared_ptr<const Credential>> Credential::parse(const PemPair& pem,
                                                            const std::string& chain_name,
                                                            const std::string& key_name,
                                                            std::string_view authorities) {
  return make(pem, chain_name, chain_name, key_name, authorities);
}

Result<std::shared_ptr<const Credential>> Credential::make(const PemPair& pem, std::string origin,
                                                           const std::string& chain_name,
                                                           const std::string& key_name,
                                                           std::string_view authorities) {
  auto parts = std::make_shared<Parts>();
  const BioPtr chain = bio_of(pem.chain);
  parts->leaf.reset(PEM_read_bio_X509_AUX(chain.get(), nullptr, &no_phrase, nullptr));
  if (!parts->leaf) return bad(chain_name, "holds no PEM certificate");
  parts->intermediates = read_certificates(chain.get());
  parts->issuer = issuer_among(parts->intermediates, parts->leaf.get());
  if (!parts->issuer) parts->issuer = issuer_among(certificates_in(authorities), parts->leaf.get());

  const BioPtr key = bio_of(pem.key);
  parts->key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, &no_phrase, nullptr));
  if (!parts->key) return bad(key_name, "holds no PEM private key, or one that is encrypted");
  if (X509_check_private_key(parts->leaf.get(), parts->key.get()) != 1) {
    return bad(key_name, "is not the key of " + chain_name);
  }
  std::shared_ptr<const Credential> made(new Credential(std::move(origin), std::move(parts)));
  // Such as a key that is too short for today's security level: known here, not at a handshake.
  const SslContextPtr trial(SSL_CTX_new(TLS_method()));
  if (!use_credential(trial.get(), *made)) {
    const std::string why = take_error_text();
    return bad(chain_name, why);
  }
  return made;
}

Credential::Credential(std::string origin, std::shared_ptr<const Parts> parts)
    : origin_(std::move(origin)),
      parts_(std::move(parts)),
      names_(names_of(parts_->leaf.get())),
      not_before_(to_wall_time(X509_get0_notBefore(parts_->leaf.get()))),
      not_after_(to_wall_time(X509_get0_notAfter(parts_->leaf.get()))) {}

Credential::~Credential() = default;

std::string Credential::to_pem() const {
  const BioPtr out(BIO_new(BIO_s_mem()));
  bool good = PEM_write_bio_X509(out.get(), parts_->leaf.get()) == 1;
  for (const X509Ptr& intermediate : parts_->intermediates)
    good = good && PEM_write_bio_X509(out.get(), intermediate.get()) == 1;
  good = good && PEM_write_bio_PrivateKey(out.get(), parts_->key.get(), nullptr, nullptr, 0,
                                          nullptr, nullptr) == 1;
  char* text = nullptr;
  const long length = BIO_get_mem_data(out.get(), &text);
  return good ? std::string(text, static_cast<size_t>(length)) : std::string();
}

bool Credential::has_same_certificate(const Credential& other) const {
  return X509_cmp(parts_->leaf.get(), other.parts_->leaf.get()) == 0;
}

std::shared_ptr<const Credential> Credential::with_staple(std::string der) const {
  auto copy = std::make_shared<Credential>(*this);
  copy->staple_ = std::move(der);
  return copy;
}

bool use_credential(SSL_CTX* context, const Credential& credential) {
  const Credential::Parts& parts = credential.parts();
  if (SSL_CTX_use_certificate(context, parts.leaf.get()) != 1) return false;
  for (const X509Ptr& intermediate : parts.intermediates) {
    if (SSL_CTX_add1_chain_cert(context, intermediate.get()) != 1) return false;
  }
  return SSL_CTX_use_PrivateKey(context, parts.key.get()) == 1;
}

}  // namespace usher::tls
