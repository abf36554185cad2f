// Keys and certificates for tests: self-signed ones, and those of an authority.
#pragma once

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tls/handles.h"
#include "tls/self_signed.h"

namespace usher::tls {

class Folder final {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() /
              ("usher-tls-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

// Signs with a key of its own; what it issues is valid for an hour, or ended an hour ago.
class Authority final {
 public:
  explicit Authority(const char* name = "Test Authority")
      : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")) {
    certificate_ = make(key_.get(), name, "", false);
    add(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(certificate_.get(), key_.get(), EVP_sha256());
  }

  std::string pem() const { return to_pem(certificate_.get()); }
  X509* certificate() const { return certificate_.get(); }
  EVP_PKEY* key() const { return key_.get(); }

  // names: "DNS:chat.example.org,IP:127.0.0.1"
  PemPair issue(const std::string& names, bool expired = false,
                const std::string& responder = {}) const {
    const KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    const X509Ptr leaf = make(key.get(), "Leaf", names, expired);
    if (!responder.empty()) add(leaf.get(), NID_info_access, "OCSP;URI:" + responder);
    X509_set_issuer_name(leaf.get(), X509_get_subject_name(certificate_.get()));
    X509_sign(leaf.get(), key_.get(), EVP_sha256());
    return {to_pem(leaf.get()), to_pem(key.get())};
  }

  enum class KeyType : uint8_t { ecdsa, rsa };
  // A certificate that its own key has signed.
  static PemPair self_signed(const std::string& names, KeyType type = KeyType::ecdsa) {
    const KeyPtr key(type == KeyType::ecdsa
                         ? EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")
                         : EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048}));
    const X509Ptr leaf = make(key.get(), "Self", names, false);
    X509_sign(leaf.get(), key.get(), EVP_sha256());
    return {to_pem(leaf.get()), to_pem(key.get())};
  }

 private:
  static X509Ptr make(EVP_PKEY* key, const char* subject, const std::string& names, bool expired) {
    static long serial = 0;
    X509Ptr made(X509_new());
    X509* raw = made.get();
    X509_set_version(raw, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(raw), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(raw), expired ? -7200 : -60);
    X509_gmtime_adj(X509_getm_notAfter(raw), expired ? -3600 : 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(subject), -1, -1, 0);
    X509_set_issuer_name(raw, X509_get_subject_name(raw));
    X509_set_pubkey(raw, key);
    if (!names.empty()) add(raw, NID_subject_alt_name, names);
    return made;
  }
  static void add(X509* certificate, int what, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  template <typename Write>
  static std::string written(Write write) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    write(out.get());
    char* text = nullptr;
    const long length = BIO_get_mem_data(out.get(), &text);
    return std::string(text, static_cast<size_t>(length));
  }
  static std::string to_pem(X509* certificate) {
    return written([&](BIO* out) { PEM_write_bio_X509(out, certificate); });
  }
  static std::string to_pem(EVP_PKEY* key) {
    return written([&](BIO* out) {
      PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    });
  }

  KeyPtr key_;
  X509Ptr certificate_;
};

}  // namespace usher::tls
