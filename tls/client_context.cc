#include "tls/client_context.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <array>
#include <utility>

#include "tls/ciphers.h"
#include "tls/credential_parts.h"
#include "tls/handles.h"
#include "tls/pem.h"
#include "tls/tls_transport.h"

namespace usher::tls {
namespace {

bool is_address(const std::string& host) {
  std::array<unsigned char, 16> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

Outcome trust(SSL_CTX* context, const std::string& ca, const Files& files) {
  if (ca.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  const auto text = read_pem_file(files, ca);
  if (!text) return text.error();
  const auto authorities = certificates_in(*text);
  if (authorities.empty()) return bad_file(files, ca, "holds no PEM certificate");
  for (const X509Ptr& authority : authorities)
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
  return {};
}

}  // namespace

struct ClientContext::Impl {
  SslContextPtr context;
};

ClientContext::ClientContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ClientContext::~ClientContext() = default;

Result<std::shared_ptr<const ClientContext>> ClientContext::make(const ClientTls& settings,
                                                                 const Files& files) {
  auto impl = std::make_unique<Impl>();
  impl->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = impl->context.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, tls12_ciphers);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_verify(context, settings.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (Outcome trusted = trust(context, settings.ca, files); !trusted)
    return std::move(trusted).error();
  if (!settings.chain.empty()) {
    const auto own = Credential::load(settings.chain, settings.key, {}, files);
    if (!own) return own.error();
    if (!use_credential(context, **own)) {
      return bad_file(files, settings.chain, take_error_text());
    }
  }
  return std::shared_ptr<const ClientContext>(new ClientContext(std::move(impl)));
}

std::unique_ptr<net::Transport> ClientContext::make_transport(const std::string& peer) const {
  SslPtr ssl(SSL_new(impl_->context.get()));
  SSL_set_connect_state(ssl.get());
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl.get());
  // A name that OpenSSL does not take must not leave the certificate's name unchecked.
  bool taken = false;
  if (is_address(peer)) {
    taken = X509_VERIFY_PARAM_set1_ip_asc(expected, peer.c_str()) == 1;
  } else {
    // A certificate and SNI name the host without the final dot that a resolver understands.
    const std::string name = peer.substr(0, peer.size() - (peer.ends_with('.') ? 1 : 0));
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    taken = !name.empty() && X509_VERIFY_PARAM_set1_host(expected, name.data(), name.size()) == 1 &&
            SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                     const_cast<char*>(name.c_str())) == 1;
  }
  ERR_clear_error();
  if (!taken) X509_VERIFY_PARAM_set1_host(expected, "invalid.", 0);
  return make_tls_client_transport(std::move(ssl), peer);
}

}  // namespace usher::tls
