// Server contexts, the transport and the self-signed certificate, against OpenSSL's own client.

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <thread>

#include "base/fd.h"
#include "base/strings.h"
#include "tests/unit/tls/certificates.h"
#include "tls/digest.h"
#include "tls/handles.h"
#include "tls/self_signed.h"
#include "tls/server_context.h"

namespace usher::tls {
namespace {

std::vector<std::string> split_names(const std::string& list) {
  std::vector<std::string> names;
  for (const std::string_view name : split_list(list))
    names.emplace_back(name);
  return names;
}

struct Handshake {
  bool done = false;
  std::string version;
  std::string alpn;        // as the client sees it
  std::string server_saw;  // as our transport says it
  std::string dns_name;    // the first of the certificate served
  std::string key_type;    // "EC", "RSA"
  std::string suite;
  bool unknown_name = false;  // as our transport says it
};

struct Client {
  std::string alpn;
  int newest = 0;
  std::string ciphers;     // of TLS 1.2
  std::string signatures;  // algorithms that it can verify
};

// A client in a thread of its own against our transport in this one, over a socket pair.
Handshake shake_hands(const ServerContext& context, const std::string& server_name,
                      const Client& how) {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  const Fd server(fds[0]);
  const Fd client(fds[1]);
  Handshake result;
  std::thread peer([&] {
    const SslContextPtr settings(SSL_CTX_new(TLS_client_method()));
    if (how.newest != 0) SSL_CTX_set_max_proto_version(settings.get(), how.newest);
    SSL_CTX_set_security_level(settings.get(), 0);
    if (!how.ciphers.empty()) SSL_CTX_set_cipher_list(settings.get(), how.ciphers.c_str());
    if (!how.signatures.empty()) {
      SSL_CTX_ctrl(settings.get(), SSL_CTRL_SET_SIGALGS_LIST, 0,
                   const_cast<char*>(how.signatures.c_str()));
    }
    const SslPtr ssl(SSL_new(settings.get()));
    SSL_set_fd(ssl.get(), client.get());
    if (!server_name.empty()) {
// The macro casts as C does.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
      SSL_set_tlsext_host_name(ssl.get(), server_name.c_str());
#pragma GCC diagnostic pop
    }
    const AlpnProtocols offered(split_names(how.alpn));
    if (!how.alpn.empty()) {
      SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(offered.wire().data()),
                          static_cast<unsigned>(offered.wire().size()));
    }
    if (SSL_connect(ssl.get()) != 1) {
      ::shutdown(client.get(), SHUT_RDWR);
      return;
    }
    result.done = true;
    result.version = SSL_get_version(ssl.get());
    const unsigned char* name = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl.get(), &name, &length);
    result.alpn.assign(reinterpret_cast<const char*>(name), length);
    result.suite = SSL_get_cipher_name(ssl.get());
    const X509Ptr leaf(SSL_get1_peer_certificate(ssl.get()));
    result.key_type = EVP_PKEY_get0_type_name(X509_get0_pubkey(leaf.get()));
    auto* names = static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(leaf.get(), NID_subject_alt_name, nullptr, nullptr));
    const auto* dns = sk_GENERAL_NAME_value(names, 0)->d.dNSName;
    result.dns_name.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(dns)),
                           static_cast<size_t>(ASN1_STRING_length(dns)));
    GENERAL_NAMES_free(names);
    char byte = 0;
    EXPECT_EQ(SSL_read(ssl.get(), &byte, 1), 1);
    EXPECT_EQ(byte, 'x');
    SSL_write(ssl.get(), "y", 1);
  });
  const AlpnProtocols ours({"http/1.1"});
  auto transport = context.make_transport(ours);
  auto status = net::IoStatus::again;
  while (status == net::IoStatus::again)
    status = transport->handshake(server.get()).status;
  if (status == net::IoStatus::done) {
    const auto peer_facts = transport->take_peer_facts();
    result.unknown_name = peer_facts && peer_facts->unknown_name;
    if (auto successor = transport->take_successor()) transport = std::move(successor);
    result.server_saw = transport->protocol();
    EXPECT_EQ(transport->write(server.get(), std::span<const char>("x", 1)).bytes, 1u);
    char into[net::Transport::smallest_read];
    net::IoResult read{net::IoStatus::again};
    while (read.status == net::IoStatus::again)
      read = transport->read(server.get(), into);
    EXPECT_EQ(read.bytes, 1u);
    EXPECT_EQ(into[0], 'y');
  } else {
    ::shutdown(server.get(), SHUT_RDWR);
  }
  peer.join();
  return result;
}

Handshake shake_hands(const ServerContext& context, const std::string& server_name,
                      const std::string& client_alpn, int client_version = 0) {
  Client how;
  how.alpn = client_alpn;
  how.newest = client_version;
  return shake_hands(context, server_name, how);
}

class TlsServer : public ::testing::Test {
 protected:
  conf::CertificateSettings certificate(const std::string& name,
                                        Authority::KeyType type = Authority::KeyType::ecdsa) {
    const PemPair pair = Authority::self_signed("DNS:" + name, type);
    static int count = 0;
    const std::string stem = "c" + std::to_string(++count);
    return {folder_.write(stem + ".crt", pair.chain), folder_.write(stem + ".key", pair.key)};
  }
  std::unique_ptr<ServerContext> context() {
    auto made = ServerContext::make(settings_, *load_credentials(settings_));
    EXPECT_TRUE(made) << (made ? "" : made.error().detail);
    return std::move(*made);
  }

  Folder folder_;
  conf::TlsSettings settings_;
};

TEST_F(TlsServer, ChoosesACertificateByExactNameThenWildcardThenTheFirst) {
  settings_.certificates = {certificate("first.example"), certificate("*.example.org"),
                            certificate("chat.example.org")};
  const auto server = context();
  EXPECT_EQ(shake_hands(*server, "chat.example.org", "").dns_name, "chat.example.org");
  EXPECT_EQ(shake_hands(*server, "CHAT.example.org", "").dns_name, "chat.example.org");
  EXPECT_EQ(shake_hands(*server, "other.example.org", "").dns_name, "*.example.org");
  // A wildcard stands for one label (RFC 6125 section 6.4.3).
  EXPECT_EQ(shake_hands(*server, "a.b.example.org", "").dns_name, "first.example");
  EXPECT_EQ(shake_hands(*server, "unknown.test", "").dns_name, "first.example");
  EXPECT_EQ(shake_hands(*server, "", "").dns_name, "first.example");
}

TEST_F(TlsServer, ShowsTheCertificateThatTheClientCanVerify) {
  using enum Authority::KeyType;
  settings_.certificates = {certificate("a.test", rsa), certificate("b.test"),
                            certificate("a.test")};
  const auto server = context();
  const Client usual{};
  const Client old{.alpn = {}, .newest = TLS1_2_VERSION, .ciphers = {}, .signatures = {}};
  Client rsa_only = usual, old_rsa_only = old, ecdsa_only = usual;
  rsa_only.signatures = "RSA-PSS+SHA256:RSA+SHA256";
  old_rsa_only.ciphers = "ECDHE-RSA-AES128-GCM-SHA256";
  ecdsa_only.signatures = "ECDSA+SHA256";
  const std::pair<const Client*, const char*> rows[] = {
      {&usual, "EC"}, {&old, "EC"}, {&rsa_only, "RSA"}, {&old_rsa_only, "RSA"}};
  for (const auto& [client, expected] : rows) {
    EXPECT_EQ(shake_hands(*server, "a.test", *client).key_type, expected);
    // The default is the pair as well.
    EXPECT_EQ(shake_hands(*server, "", *client).key_type, expected);
  }
  EXPECT_EQ(shake_hands(*server, "b.test", ecdsa_only).dns_name, "b.test");
  EXPECT_FALSE(shake_hands(*server, "b.test", rsa_only).done);
}

TEST_F(TlsServer, NotesOrRefusesANameThatIsNotServed) {
  settings_.certificates = {certificate("a.test")};
  const auto server = context();
  EXPECT_TRUE(shake_hands(*server, "b.test", "").unknown_name);
  EXPECT_TRUE(shake_hands(*server, "b.test", "", TLS1_2_VERSION).unknown_name);
  EXPECT_FALSE(shake_hands(*server, "a.test", "").unknown_name);
  EXPECT_FALSE(shake_hands(*server, "", "").unknown_name);
  settings_.unknown_name = "refuse";
  const auto strict = context();
  EXPECT_FALSE(shake_hands(*strict, "b.test", "").done);
  EXPECT_TRUE(shake_hands(*strict, "a.test", "").done);
  EXPECT_TRUE(shake_hands(*strict, "", "").done);  // who asks for nothing is not refused
}

TEST_F(TlsServer, SpeaksTheCiphersThatTheSettingsName) {
  settings_.certificates = {certificate("a.test")};
  settings_.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
  settings_.ciphersuites = "TLS_AES_128_GCM_SHA256";
  const auto server = context();
  EXPECT_EQ(shake_hands(*server, "a.test", "").suite, "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(shake_hands(*server, "a.test", "", TLS1_2_VERSION).suite,
            "ECDHE-ECDSA-CHACHA20-POLY1305");
  Client other{};
  other.newest = TLS1_2_VERSION;
  other.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
  EXPECT_FALSE(shake_hands(*server, "a.test", other).done);

  const auto complaint = [this] {
    const auto made = ServerContext::make(settings_, *load_credentials(settings_));
    return made ? std::string("accepted") : made.error().detail;
  };
  settings_.ciphersuites = "TLS_MAGIC";
  EXPECT_EQ(complaint(),
            "tls.ciphersuites: OpenSSL does not know all of these for TLS 1.3: TLS_MAGIC");
  settings_.ciphersuites.clear();
  settings_.ciphers = "MAGIC";
  EXPECT_EQ(complaint(), "tls.ciphers: OpenSSL knows none of these for TLS 1.2: MAGIC");
}

TEST_F(TlsServer, SpeaksTls12And13AndNothingOlder) {
  settings_.certificates = {certificate("a.test")};
  const auto server = context();
  EXPECT_EQ(shake_hands(*server, "a.test", "").version, "TLSv1.3");
  EXPECT_EQ(shake_hands(*server, "a.test", "", TLS1_2_VERSION).version, "TLSv1.2");
  EXPECT_FALSE(shake_hands(*server, "a.test", "", TLS1_1_VERSION).done);
  settings_.min_version = "1.3";
  EXPECT_FALSE(shake_hands(*context(), "a.test", "", TLS1_2_VERSION).done);
}

TEST_F(TlsServer, AgreesOnAProtocolOrEndsTheHandshake) {
  settings_.certificates = {certificate("a.test")};
  const auto server = context();
  const Handshake agreed = shake_hands(*server, "a.test", "h2,http/1.1");
  EXPECT_EQ(agreed.alpn, "http/1.1");
  EXPECT_EQ(agreed.server_saw, "http/1.1");
  EXPECT_FALSE(shake_hands(*server, "a.test", "h2").done);
  EXPECT_TRUE(shake_hands(*server, "a.test", "").done);
}

TEST_F(TlsServer, NamesTheFileThatIsWrong) {
  const auto complaint = [this](conf::CertificateSettings wrong) {
    settings_.certificates = {std::move(wrong)};
    const auto made = load_credentials(settings_);
    return made ? std::string("accepted") : made.error().detail;
  };
  const auto good = certificate("a.test");
  const auto other = certificate("b.test");
  const std::string rubbish = folder_.write("rubbish", "not PEM");
  EXPECT_EQ(complaint({"/nowhere.crt", good.key}),
            "/nowhere.crt: cannot be read: " + why_not("/nowhere.crt", ENOENT, "read"));
  EXPECT_EQ(complaint({rubbish, good.key}), rubbish + ": holds no PEM certificate");
  EXPECT_EQ(complaint({good.chain, rubbish}),
            rubbish + ": holds no PEM private key, or one that is encrypted");
  EXPECT_EQ(complaint({good.chain, other.key}), other.key + ": is not the key of " + good.chain);
}

TEST_F(TlsServer, SelfSignedPairIsMadeOnceKeptAndRenewedInTime) {
  const auto now = std::chrono::system_clock::now();
  const auto first = load_or_make_self_signed(folder_.path(), now);
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->made);
  EXPECT_TRUE(first->kept);
  struct stat info {};
  ASSERT_EQ(::stat((folder_.path() / "self-signed.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  const auto second = load_or_make_self_signed(folder_.path(), now);
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->made);
  EXPECT_EQ(second->pem.chain, first->pem.chain);

  const auto later = load_or_make_self_signed(folder_.path(), now + std::chrono::hours(24 * 380));
  ASSERT_TRUE(later);
  EXPECT_TRUE(later->made);

  const auto own = Credential::parse(second->pem, "", "");
  ASSERT_TRUE(own);
  const auto made = ServerContext::make(conf::TlsSettings{}, {*own});
  ASSERT_TRUE(made);
  EXPECT_EQ(shake_hands(**made, "localhost", "").dns_name, "localhost");
}

TEST_F(TlsServer, SelfSignedPairLivesInMemoryWhenItCannotBeKept) {
  const auto pair = load_or_make_self_signed("/proc/nowhere", std::chrono::system_clock::now());
  ASSERT_TRUE(pair);
  EXPECT_FALSE(pair->kept);
  EXPECT_NE(pair->why_not, "");
}

TEST(Digest, MatchesPublishedVectors) {
  // RFC 4231, test case 2.
  const std::string key = "Jefe";
  const auto mac = make_hmac_sha256(bytes_of(key));
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(to_hex(mac("what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  }
  // Of nothing under nothing; computed with another implementation.
  EXPECT_EQ(to_hex(make_hmac_sha256({})("")),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  // RFC 6455 section 1.3.
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

}  // namespace
}  // namespace usher::tls
