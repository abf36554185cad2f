#include "tls/server_context.h"

#include <openssl/x509v3.h>

#include <unordered_map>

#include "base/strings.h"
#include "tls/ciphers.h"
#include "tls/handles.h"
#include "tls/handshake_notes.h"
#include "tls/pem.h"
#include "tls/tls_transport.h"

namespace usher::tls {
namespace {

int choose_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_length,
                const unsigned char* offered, unsigned offered_length, void*) {
  const auto* notes = static_cast<const HandshakeNotes*>(SSL_get_app_data(ssl));
  unsigned char* found = nullptr;
  const auto& ours = notes->alpn.wire();
  const int result = SSL_select_next_proto(
      &found, chosen_length, reinterpret_cast<const unsigned char*>(ours.data()),
      static_cast<unsigned>(ours.size()), offered, offered_length);
  // RFC 7301 section 3.2: no protocol in common is fatal.
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

// A line of the key log: label, client random and secret, in hexadecimal.
void note_secret(const SSL* ssl, const char* line) {
  auto* notes = static_cast<HandshakeNotes*>(SSL_get_app_data(ssl));
  const auto [label, after_label] = cut(line, ' ');
  if (!after_label) return;
  TrafficSecret* secret = label == "CLIENT_TRAFFIC_SECRET_0"   ? &notes->client_secret
                          : label == "SERVER_TRAFFIC_SECRET_0" ? &notes->server_secret
                                                               : nullptr;
  const auto hex = cut(*after_label, ' ').second;
  if (!secret || !hex) return;
  secret->size = from_hex(*hex, secret->bytes);
}

Result<SslContextPtr> make_context(const conf::TlsSettings& settings, const PemPair& pem,
                                   const std::string& chain_name, const std::string& key_name) {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw,
                                settings.min_version == "1.3" ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(raw, tls12_ciphers);
  char groups[] = "X25519:P-256:P-384";  // SSL_CTX_set1_groups_list() casts the const away
  SSL_CTX_ctrl(raw, SSL_CTRL_SET_GROUPS_LIST, 0, groups);
  uint64_t options = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION;
  if (!settings.session_tickets) options |= SSL_OP_NO_TICKET;
  SSL_CTX_set_options(raw, options);
  SSL_CTX_set_num_tickets(raw, settings.session_tickets ? 1 : 0);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_alpn_select_cb(raw, &choose_alpn, nullptr);
  SSL_CTX_set_keylog_callback(raw, &note_secret);

  if (Outcome used = use_certificate(raw, pem, chain_name, key_name); !used) {
    return std::move(used).error();
  }
  return context;
}

// The names a certificate is for: its DNS names, or without any its common name (lower case).
std::vector<std::string> names_of(SSL_CTX* context) {
  std::vector<std::string> names;
  X509* leaf = SSL_CTX_get0_certificate(context);
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

}  // namespace

struct ServerContext::Impl {
  std::vector<SslContextPtr> contexts;  // the first serves names that no certificate is for
  std::unordered_map<std::string, SSL_CTX*, StringHash, std::equal_to<>> by_name;

  SSL_CTX* find(std::string_view server_name) const {
    const std::string name = to_lower(server_name);
    if (const auto exact = by_name.find(name); exact != by_name.end()) return exact->second;
    const size_t dot = name.find('.');
    if (dot == std::string::npos) return nullptr;
    const auto wildcard = by_name.find("*" + name.substr(dot));
    return wildcard == by_name.end() ? nullptr : wildcard->second;
  }

  static int on_server_name(SSL* ssl, int*, void* self) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!name) return SSL_TLSEXT_ERR_NOACK;
    SSL_CTX* context = static_cast<const Impl*>(self)->find(name);
    if (context && context != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, context);
    return SSL_TLSEXT_ERR_OK;
  }
};

ServerContext::ServerContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ServerContext::~ServerContext() = default;

Result<std::unique_ptr<ServerContext>> ServerContext::make(const conf::TlsSettings& settings,
                                                           const PemPair* fallback) {
  auto impl = std::make_unique<Impl>();
  for (const conf::CertificateSettings& certificate : settings.certificates) {
    auto chain = read_pem_file(certificate.chain);
    if (!chain) return std::move(chain).error();
    auto key = read_pem_file(certificate.key);
    if (!key) return std::move(key).error();
    auto context = make_context(settings, {std::move(*chain), std::move(*key)}, certificate.chain,
                                certificate.key);
    if (!context) return std::move(context).error();
    impl->contexts.push_back(std::move(*context));
  }
  if (impl->contexts.empty()) {
    if (!fallback) return Error{Errc::bad_config, Side::usher, "no certificate"};
    auto context = make_context(settings, *fallback, "self-signed certificate", "self-signed key");
    if (!context) return std::move(context).error();
    impl->contexts.push_back(std::move(*context));
  }
  for (const SslContextPtr& context : impl->contexts) {
    for (std::string& name : names_of(context.get())) {
      impl->by_name.emplace(std::move(name), context.get());
    }
  }
  SSL_CTX* first = impl->contexts.front().get();
// The macro casts as C does.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
  SSL_CTX_set_tlsext_servername_callback(first, &Impl::on_server_name);
#pragma GCC diagnostic pop
  SSL_CTX_set_tlsext_servername_arg(first, impl.get());
  return std::unique_ptr<ServerContext>(new ServerContext(std::move(impl)));
}

std::unique_ptr<net::Transport> ServerContext::make_transport(const AlpnProtocols& alpn) const {
  SslPtr ssl(SSL_new(impl_->contexts.front().get()));
  SSL_set_accept_state(ssl.get());
  return make_tls_transport(std::move(ssl), alpn);
}

}  // namespace usher::tls
