// What a certificate's authority says of it (RFC 6960): the question, and an answer that may be
// stapled to handshakes. How they travel is for others to know.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "tls/credential.h"

namespace usher::tls {

struct OcspQuestion {
  std::string url;   // http://host[:port]/path, as the certificate names it
  std::string body;  // DER, for a POST of application/ocsp-request
};
// Nothing if the certificate names no such responder, or its issuer is not known.
std::optional<OcspQuestion> make_ocsp_question(const Credential& credential);

struct OcspAnswer {
  std::string der;
  WallTime next_update;  // when it ends
};
// An error says why it is of no use: not signed by the issuer or for it, not of this certificate,
// over, not yet begun, without an end; or the certificate is revoked.
Result<OcspAnswer> check_ocsp_answer(const Credential& credential, std::string_view der);

}  // namespace usher::tls
