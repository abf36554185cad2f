#include "tls/self_signed.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/fd.h"
#include "base/random.h"
#include "tls/handles.h"

namespace usher::tls {
namespace {

constexpr auto lifetime = std::chrono::hours(24 * 397);
constexpr auto renew_before = std::chrono::hours(24 * 30);

Error tls_error(std::string_view what) {
  return {Errc::system, Side::usher, std::string(what) + ": " + take_error_text()};
}

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return {};
  return name;
}

bool add_extension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  if (!extension) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool fill(X509* certificate, EVP_PKEY* key, WallTime now) {
  auto serial = random_bytes<8>();
  serial[0] &= 0x7f;  // positive (RFC 5280 section 4.1.2.2)
  BIGNUM* number = BN_bin2bn(serial.data(), serial.size(), nullptr);
  const bool numbered = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  if (!numbered) return false;

  const time_t start = std::chrono::system_clock::to_time_t(now - std::chrono::hours(1));
  const time_t end = std::chrono::system_clock::to_time_t(now + lifetime);
  X509_set_version(certificate, 2);
  ASN1_TIME_set(X509_getm_notBefore(certificate), start);
  ASN1_TIME_set(X509_getm_notAfter(certificate), end);

  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>("usher self-signed");
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_set_pubkey(certificate, key);

  std::string names = "DNS:localhost,IP:127.0.0.1,IP:::1";
  // A name that is no DNS name would make the whole extension invalid.
  const std::string host = host_name();
  const bool usable =
      !host.empty() && host != "localhost" &&
      host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
          std::string::npos;
  if (usable) names += ",DNS:" + host;
  return add_extension(certificate, NID_subject_alt_name, names) &&
         add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

template <typename Write>
std::string to_pem(Write write) {
  const BioPtr memory(BIO_new(BIO_s_mem()));
  if (!memory || write(memory.get()) != 1) return {};
  char* text = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<size_t>(length)};
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool still_good(const PemPair& pem, WallTime now) {
  const BioPtr memory(BIO_new_mem_buf(pem.chain.data(), static_cast<int>(pem.chain.size())));
  const X509Ptr certificate(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
  const BioPtr key_memory(BIO_new_mem_buf(pem.key.data(), static_cast<int>(pem.key.size())));
  const KeyPtr key(PEM_read_bio_PrivateKey(key_memory.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate || !key || X509_check_private_key(certificate.get(), key.get()) != 1)
    return false;
  time_t limit = std::chrono::system_clock::to_time_t(now + renew_before);
  return X509_cmp_time(X509_get0_notAfter(certificate.get()), &limit) > 0;
}

// Appears whole or not at all.
std::string write_file(const std::filesystem::path& path, const std::string& text, mode_t mode) {
  const std::filesystem::path next = path.string() + ".new";
  const Fd fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd.valid()) return std::strerror(errno);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return std::strerror(errno);
  }
  if (::rename(next.c_str(), path.c_str()) != 0) return std::strerror(errno);
  return {};
}

}  // namespace

Result<PemPair> make_self_signed(WallTime now) {
  const KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const X509Ptr certificate(X509_new());
  if (!key || !certificate || !fill(certificate.get(), key.get(), now)) {
    return tls_error("cannot make a self-signed certificate");
  }
  PemPair pem{to_pem([&](BIO* out) { return PEM_write_bio_X509(out, certificate.get()); }),
              to_pem([&](BIO* out) {
                return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr,
                                                nullptr);
              })};
  if (pem.chain.empty() || pem.key.empty())
    return tls_error("cannot write a self-signed certificate");
  return pem;
}

Result<KeptPair> load_or_make_self_signed(const std::string& directory, WallTime now) {
  const std::filesystem::path folder(directory);
  const auto chain = folder / "self-signed.crt";
  const auto key = folder / "self-signed.key";
  if (PemPair kept{read_file(chain), read_file(key)}; still_good(kept, now)) {
    return KeptPair{std::move(kept), true, false, {}};
  }
  auto made = make_self_signed(now);
  if (!made) return std::move(made).error();
  KeptPair pair{std::move(*made), false, true, {}};
  pair.why_not = write_file(key, pair.pem.key, 0600);
  if (pair.why_not.empty()) pair.why_not = write_file(chain, pair.pem.chain, 0644);
  pair.kept = pair.why_not.empty();
  return pair;
}

}  // namespace usher::tls
