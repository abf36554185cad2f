#include "tls/ocsp.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "tls/credential_parts.h"

namespace usher::tls {
namespace {

using RequestPtr = std::unique_ptr<OCSP_REQUEST, FreeWith<OCSP_REQUEST_free>>;
using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, FreeWith<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, FreeWith<OCSP_BASICRESP_free>>;
using IdPtr = std::unique_ptr<OCSP_CERTID, FreeWith<OCSP_CERTID_free>>;
using StorePtr = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;

// The authority's clock may be ahead of ours. Seconds.
constexpr long clock_slack = 300;

std::string first_url(X509* leaf) {
  STACK_OF(OPENSSL_STRING)* urls = X509_get1_ocsp(leaf);
  std::string first;
  if (sk_OPENSSL_STRING_num(urls) > 0) first = sk_OPENSSL_STRING_value(urls, 0);
  X509_email_free(urls);
  return first;
}

Error useless(std::string_view why) {
  ERR_clear_error();
  return {Errc::system, Side::usher, std::string(why)};
}

}  // namespace

std::optional<OcspQuestion> make_ocsp_question(const Credential& credential) {
  const Credential::Parts& parts = credential.parts();
  X509* const issuer = parts.issuer.get();
  OcspQuestion question{first_url(parts.leaf.get()), {}};
  if (!issuer || !question.url.starts_with("http://")) return std::nullopt;
  const RequestPtr request(OCSP_REQUEST_new());
  // RFC 5019 section 2.1.1: what every responder understands.
  IdPtr id(OCSP_cert_to_id(EVP_sha1(), parts.leaf.get(), issuer));
  if (!request || !id || !OCSP_request_add0_id(request.get(), id.get())) return std::nullopt;
  id.release();  // the request's now
  unsigned char* der = nullptr;
  const int size = i2d_OCSP_REQUEST(request.get(), &der);
  if (size <= 0) return std::nullopt;
  question.body.assign(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return question;
}

Result<OcspAnswer> check_ocsp_answer(const Credential& credential, std::string_view der) {
  const Credential::Parts& parts = credential.parts();
  X509* const issuer = parts.issuer.get();
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &bytes, static_cast<long>(der.size())));
  if (!response || !issuer) return useless("what came is no OCSP response");
  if (const int status = OCSP_response_status(response.get());
      status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return useless(std::string("the responder says: ") + OCSP_response_status_str(status));
  }
  const BasicPtr basic(OCSP_response_get1_basic(response.get()));
  const StorePtr store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), issuer);
  // An intermediate authority is whom we trust here; where its own chain leads is not the question.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  STACK_OF(X509)* known = sk_X509_new_null();
  sk_X509_push(known, issuer);
  const bool genuine = basic && OCSP_basic_verify(basic.get(), known, store.get(), 0) == 1;
  sk_X509_free(known);
  if (!genuine) return useless("the certificate's issuer has not signed it, nor for it");

  const IdPtr id(OCSP_cert_to_id(EVP_sha1(), parts.leaf.get(), issuer));
  int status = 0;
  int reason = 0;
  ASN1_GENERALIZEDTIME *revoked = nullptr, *from = nullptr, *until = nullptr;
  if (OCSP_resp_find_status(basic.get(), id.get(), &status, &reason, &revoked, &from, &until) != 1)
    return useless("it is of another certificate");
  if (status != V_OCSP_CERTSTATUS_GOOD) {
    return useless(std::string("the certificate is ") + OCSP_cert_status_str(status));
  }
  if (!until || X509_cmp_current_time(until) <= 0 ||
      OCSP_check_validity(from, until, clock_slack, -1) != 1)
    return useless("it is over, or not yet valid, or does not say until when");
  tm end{};
  if (ASN1_TIME_to_tm(until, &end) != 1) return useless("it does not say until when");
  ERR_clear_error();
  return OcspAnswer{std::string(der), std::chrono::system_clock::from_time_t(::timegm(&end))};
}

}  // namespace usher::tls
