#include "tls/server_context.h"

#include <openssl/pem.h>

#include <array>
#include <map>
#include <unordered_map>

#include "tls/ciphers.h"
#include "tls/credential_parts.h"
#include "tls/digest.h"
#include "tls/handles.h"
#include "tls/handshake_notes.h"
#include "tls/key_schedule.h"
#include "tls/pem.h"
#include "tls/server_names.h"
#include "tls/ticket_keys.h"
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

Error bad(std::string what) { return {Errc::bad_config, Side::usher, "tls." + std::move(what)}; }

Outcome set_ciphers(SSL_CTX* context, const conf::TlsSettings& settings) {
  const std::string& old = settings.ciphers;
  if (SSL_CTX_set_cipher_list(context, old.empty() ? tls12_ciphers : old.c_str()) != 1) {
    ERR_clear_error();
    return bad("ciphers: OpenSSL knows none of these for TLS 1.2: " + old);
  }
  const std::string& suites = settings.ciphersuites;
  if (!suites.empty() && SSL_CTX_set_ciphersuites(context, suites.c_str()) != 1) {
    ERR_clear_error();
    return bad("ciphersuites: OpenSSL does not know all of these for TLS 1.3: " + suites);
  }
  return {};
}

// Whose certificates clients may show. Sessions under one policy are not resumed under another.
Outcome ask_for_certificates(SSL_CTX* context, const conf::TlsSettings& settings,
                             const Files& files) {
  Sha256 policy{};
  if (settings.client_certificate != "none") {
    std::string all;
    const std::array<std::string, 2> named{settings.client_ca, settings.trusted_ca};
    for (const std::string& file : named) {
      if (file.empty()) continue;
      const auto text = read_pem_file(files, file);
      if (!text) return text.error();
      const auto authorities = certificates_in(*text);
      if (authorities.empty()) return bad_file(files, file, "holds no PEM certificate");
      for (const X509Ptr& authority : authorities) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
        if (&file == &named[0]) SSL_CTX_add_client_CA(context, authority.get());
      }
      all += *text;
    }
    SSL_CTX_set_verify_depth(context, static_cast<int>(settings.client_verify_depth));
    all += std::to_string(settings.client_verify_depth);
    const bool require = settings.client_certificate == "require";
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       nullptr);
    policy = make_hmac_sha256(bytes_of(settings.client_certificate))(all);
  }
  SSL_CTX_set_session_id_context(context, policy.data(), policy.size());
  return {};
}

// The group for DHE (RFC 7919 has those that OpenSSL takes by itself).
Outcome set_dh_group(SSL_CTX* context, const std::string& file, const Files& files) {
  if (file.empty()) {
    SSL_CTX_set_dh_auto(context, 1);
    return {};
  }
  const auto text = read_pem_file(files, file);
  if (!text) return text.error();
  const BioPtr pem(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  KeyPtr group(PEM_read_bio_Parameters_ex(pem.get(), nullptr, nullptr, nullptr));
  if (!group || EVP_PKEY_is_a(group.get(), "DH") == 0) {
    ERR_clear_error();
    return bad_file(files, file, "holds no PEM DH parameters");
  }
  // Such as one that is too short for today's security level.
  if (SSL_CTX_set0_tmp_dh_pkey(context, group.get()) != 1)
    return bad_file(files, file, take_error_text());
  group.release();  // the context's now
  return {};
}

// Sessions that clients resume by their number alone (RFC 5246 section 7.3, RFC 8446 section 2.2).
void keep_sessions(SSL_CTX* context, const conf::TlsSettings& settings) {
  if (settings.session_tickets || settings.session_cache == 0) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return;
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
  SSL_CTX_sess_set_cache_size(context, settings.session_cache);
  const auto lifetime = std::chrono::ceil<std::chrono::seconds>(2 * settings.ticket_rotate);
  SSL_CTX_set_timeout(context, static_cast<long>(lifetime.count()));
  SSL_CTX_set_num_tickets(context, 1);  // of TLS 1.3: each is a session's number
}

// The credentials for a name: of each type of key the first.
using Shown = std::vector<const Credential*>;

Result<SslContextPtr> make_context(const conf::TlsSettings& settings, const Shown& shown,
                                   const TicketKeys& tickets, const Files& files) {
  SslContextPtr context(SSL_CTX_new_ex(nullptr, key_schedule_properties(), TLS_server_method()));
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw,
                                settings.min_version == "1.3" ? TLS1_3_VERSION : TLS1_2_VERSION);
  if (Outcome set = set_ciphers(raw, settings); !set) return std::move(set).error();
  if (Outcome asked = ask_for_certificates(raw, settings, files); !asked)
    return std::move(asked).error();
  std::string groups = settings.groups;  // SSL_CTX_set1_groups_list() casts the const away
  if (SSL_CTX_ctrl(raw, SSL_CTRL_SET_GROUPS_LIST, 0, groups.data()) != 1) {
    ERR_clear_error();
    return bad("groups: OpenSSL does not know all of these: " + groups);
  }
  if (Outcome set = set_dh_group(raw, settings.dh_parameters, files); !set)
    return std::move(set).error();
  // Our order of ciphers, but ChaCha20 for whoever puts it first: it has no AES in hardware.
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  if (settings.prefer_server_ciphers)
    SSL_CTX_set_options(raw, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  tickets.use_in(raw);
  keep_sessions(raw, settings);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_alpn_select_cb(raw, &choose_alpn, nullptr);
  for (const Credential* credential : shown) {
    if (use_credential(raw, *credential)) continue;
    return Error{Errc::bad_config, Side::usher, credential->origin() + ": " + take_error_text()};
  }
  return context;
}

void show_too(Shown& shown, const Credential* credential) {
  const auto type = [](const Credential* each) {
    return EVP_PKEY_get_base_id(each->parts().key.get());
  };
  for (const Credential* each : shown) {
    if (type(each) == type(credential)) return;
  }
  shown.push_back(credential);
}

}  // namespace

struct ServerContext::Impl {
  explicit Impl(const TicketSecrets& secrets) : tickets(secrets) {}

  const TicketKeys tickets;
  Credentials credentials;
  std::map<Shown, SslContextPtr> contexts;
  ServerNames<SSL_CTX*> by_name;
  SSL_CTX* first = nullptr;  // serves names that no certificate is for
  bool refuses_unknown_names = false;

  // RFC 6066 section 8, RFC 8446 section 4.4.2.1: for the certificate that OpenSSL has chosen.
  static int on_status_request(SSL* ssl, void* self) {
    const X509* const shown = SSL_get_certificate(ssl);
    for (const auto& credential : static_cast<const Impl*>(self)->credentials) {
      if (credential->parts().leaf.get() != shown || credential->staple().empty()) continue;
      const std::string& der = credential->staple();
      void* const copy = OPENSSL_memdup(der.data(), der.size());
      SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP, static_cast<long>(der.size()), copy);
      return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
  }

  // RFC 6066 section 3.
  static int on_server_name(SSL* ssl, int* alert, void* self) {
    const auto& impl = *static_cast<const Impl*>(self);
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!name) return SSL_TLSEXT_ERR_NOACK;
    SSL_CTX* const* const found = impl.by_name.find(name);
    if (!found) {
      if (impl.refuses_unknown_names) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
      }
      static_cast<HandshakeNotes*>(SSL_get_app_data(ssl))->unknown_name = true;
      return SSL_TLSEXT_ERR_NOACK;
    }
    if (*found != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, *found);
    return SSL_TLSEXT_ERR_OK;
  }
};

ServerContext::ServerContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ServerContext::~ServerContext() = default;

Result<Credentials> load_credentials(const conf::TlsSettings& settings, const Files& files) {
  Credentials loaded;
  for (const conf::CertificateSettings& certificate : settings.certificates) {
    auto credential =
        Credential::load(certificate.chain, certificate.key, settings.trusted_ca, files);
    if (!credential) return std::move(credential).error();
    loaded.push_back(std::move(*credential));
  }
  return loaded;
}

Result<std::unique_ptr<ServerContext>> ServerContext::make(const conf::TlsSettings& settings,
                                                           Credentials credentials,
                                                           const TicketSecrets& tickets,
                                                           const Files& files) {
  if (credentials.empty()) return bad("certificate: there is none");
  auto impl = std::make_unique<Impl>(tickets);
  impl->refuses_unknown_names = settings.unknown_name == "refuse";
  std::unordered_map<std::string, Shown> by_name;
  for (const auto& credential : credentials) {
    for (const std::string& name : credential->names())
      show_too(by_name[name], credential.get());
  }
  const auto context_of = [&](const Shown& shown) -> Result<SSL_CTX*> {
    SslContextPtr& context = impl->contexts[shown];
    if (!context) {
      auto made = make_context(settings, shown, impl->tickets, files);
      if (!made) return std::move(made).error();
      context = std::move(*made);
    }
    return context.get();
  };
  for (const auto& [name, shown] : by_name) {
    const auto context = context_of(shown);
    if (!context) return context.error();
    impl->by_name.add(name, *context);
  }
  const Credential& first = *credentials.front();
  const auto context =
      context_of(first.names().empty() ? Shown{&first} : by_name.at(first.names().front()));
  if (!context) return context.error();
  impl->first = *context;
// The macro casts as C does.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
  SSL_CTX_set_tlsext_servername_callback(impl->first, &Impl::on_server_name);
  for (const auto& [shown, each] : impl->contexts) {
    SSL_CTX_set_tlsext_status_cb(each.get(), &Impl::on_status_request);
    SSL_CTX_set_tlsext_status_arg(each.get(), impl.get());
  }
#pragma GCC diagnostic pop
  SSL_CTX_set_tlsext_servername_arg(impl->first, impl.get());
  impl->credentials = std::move(credentials);
  return std::unique_ptr<ServerContext>(new ServerContext(std::move(impl)));
}

const Credentials& ServerContext::credentials() const { return impl_->credentials; }

std::unique_ptr<net::Transport> ServerContext::make_transport(const AlpnProtocols& alpn) const {
  SslPtr ssl(SSL_new(impl_->first));
  SSL_set_accept_state(ssl.get());
  return make_tls_transport(std::move(ssl), alpn);
}

}  // namespace usher::tls
