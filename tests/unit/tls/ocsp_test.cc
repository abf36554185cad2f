#include "tls/ocsp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ocsp.h>

#include "tests/unit/tls/certificates.h"
#include "tls/credential_parts.h"

namespace usher::tls {
namespace {

using testing::HasSubstr;

using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, FreeWith<OCSP_RESPONSE_free>>;
using RequestPtr = std::unique_ptr<OCSP_REQUEST, FreeWith<OCSP_REQUEST_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, FreeWith<OCSP_BASICRESP_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>>;

std::string to_der(OCSP_RESPONSE* response) {
  unsigned char* der = nullptr;
  const int size = i2d_OCSP_RESPONSE(response, &der);
  std::string text(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return text;
}

struct Said {
  int status = V_OCSP_CERTSTATUS_GOOD;
  long from = -60;    // seconds from now
  long until = 3600;  // 0: it does not say
};

class AnOcspAnswer : public testing::Test {
 protected:
  static std::shared_ptr<const Credential> credential(const Authority& authority,
                                                      const std::string& responder,
                                                      bool whole_chain = true) {
    PemPair pair = authority.issue("DNS:chat.example.org", false, responder);
    if (whole_chain) pair.chain += authority.pem();
    auto made = Credential::parse(pair, "chain", "key");
    EXPECT_TRUE(made);
    return *made;
  }
  std::string answer(const Said& said, const Credential& of, const Authority& signer) const {
    const BasicPtr basic(OCSP_BASICRESP_new());
    const TimePtr now(X509_gmtime_adj(nullptr, 0));
    const TimePtr from(X509_gmtime_adj(nullptr, said.from));
    const TimePtr until(said.until == 0 ? nullptr : X509_gmtime_adj(nullptr, said.until));
    OCSP_CERTID* id = OCSP_cert_to_id(EVP_sha1(), of.parts().leaf.get(), authority_.certificate());
    OCSP_basic_add1_status(basic.get(), id, said.status, 0, now.get(), from.get(), until.get());
    OCSP_CERTID_free(id);
    EXPECT_EQ(
        OCSP_basic_sign(basic.get(), signer.certificate(), signer.key(), EVP_sha256(), nullptr, 0),
        1);
    return to_der(
        ResponsePtr(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get())).get());
  }
  std::string why_not(const std::string& der) const {
    const auto checked = check_ocsp_answer(*ours_, der);
    EXPECT_FALSE(checked);
    return checked ? "" : checked.error().detail;
  }

  Authority authority_;
  std::shared_ptr<const Credential> ours_ = credential(authority_, "http://ocsp.example/ask");
};

TEST_F(AnOcspAnswer, IsAskedForWhereTheCertificateSays) {
  const auto question = make_ocsp_question(*ours_);
  ASSERT_TRUE(question);
  EXPECT_EQ(question->url, "http://ocsp.example/ask");
  const auto* bytes = reinterpret_cast<const unsigned char*>(question->body.data());
  const RequestPtr request(
      d2i_OCSP_REQUEST(nullptr, &bytes, static_cast<long>(question->body.size())));
  ASSERT_TRUE(request);
  EXPECT_EQ(OCSP_request_onereq_count(request.get()), 1);
  EXPECT_FALSE(make_ocsp_question(*credential(authority_, ""))) << "no responder";
  EXPECT_FALSE(make_ocsp_question(*credential(authority_, "http://o/", false))) << "no issuer";
  EXPECT_FALSE(make_ocsp_question(*credential(authority_, "ldap://ocsp.example/")));
}

TEST_F(AnOcspAnswer, IsAskedForWithAnIssuerThatIsShownToNobody) {
  const PemPair alone = authority_.issue("DNS:chat.example.org", false, "http://ocsp.example/ask");
  const std::string others = Authority("Another").pem() + authority_.pem();
  const auto known = Credential::parse(alone, "chain", "key", others);
  const auto unknown = Credential::parse(alone, "chain", "key", Authority("Another").pem());
  ASSERT_TRUE(known && unknown);
  EXPECT_FALSE(make_ocsp_question(**unknown));
  ASSERT_TRUE(make_ocsp_question(**known));
  EXPECT_TRUE(check_ocsp_answer(**known, answer({}, **known, authority_)));
  EXPECT_TRUE((*known)->parts().intermediates.empty());
}

TEST_F(AnOcspAnswer, IsGoodUntilItsEnd) {
  const std::string der = answer({}, *ours_, authority_);
  const auto checked = check_ocsp_answer(*ours_, der);
  ASSERT_TRUE(checked) << checked.error().detail;
  EXPECT_EQ(checked->der, der);
  const auto left = checked->next_update - std::chrono::system_clock::now();
  EXPECT_GT(left, std::chrono::minutes(59));
  EXPECT_LE(left, std::chrono::minutes(60));
}

TEST_F(AnOcspAnswer, IsNotShownWhenItIsOfNoUse) {
  EXPECT_THAT(why_not(answer({.status = V_OCSP_CERTSTATUS_REVOKED}, *ours_, authority_)),
              HasSubstr("revoked"));
  EXPECT_THAT(why_not(answer({.status = V_OCSP_CERTSTATUS_UNKNOWN}, *ours_, authority_)),
              HasSubstr("unknown"));
  const char* over = "it is over, or not yet valid, or does not say until when";
  EXPECT_EQ(why_not(answer({.from = -7200, .until = -3600}, *ours_, authority_)), over);
  EXPECT_EQ(why_not(answer({.from = 3600, .until = 7200}, *ours_, authority_)), over);
  EXPECT_EQ(why_not(answer({.until = 0}, *ours_, authority_)), over);
  const auto another = credential(authority_, "http://ocsp.example/ask");
  EXPECT_EQ(why_not(answer({}, *another, authority_)), "it is of another certificate");
}

TEST_F(AnOcspAnswer, IsBelievedOnlyOfTheIssuer) {
  const char* forged = "the certificate's issuer has not signed it, nor for it";
  EXPECT_EQ(why_not(answer({}, *ours_, Authority("Somebody Else"))), forged);
  EXPECT_EQ(why_not(answer({}, *ours_, Authority())), forged) << "of the same name";
  std::string spoilt = answer({}, *ours_, authority_);
  spoilt[spoilt.find("\x30", 100)] ^= 1;
  EXPECT_FALSE(check_ocsp_answer(*ours_, spoilt));
}

TEST_F(AnOcspAnswer, IsNotWhatIsNoResponse) {
  const std::string der = answer({}, *ours_, authority_);
  for (size_t size = 0; size < der.size(); ++size)
    EXPECT_FALSE(check_ocsp_answer(*ours_, der.substr(0, size)));
  EXPECT_THAT(why_not("<html>"), HasSubstr("no OCSP response"));
  EXPECT_THAT(why_not(to_der(
                  ResponsePtr(OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, nullptr)).get())),
              HasSubstr("trylater"));
  EXPECT_EQ(ERR_peek_error(), 0UL);
}

}  // namespace
}  // namespace usher::tls
