#include "tls/tls_transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/strings.h"
#include "tls/handshake_notes.h"
#include "tls/key_schedule.h"
#include "tls/plain_http.h"
#include "tls/tls13_transport.h"

namespace usher::tls {
namespace {

using net::IoResult;
using net::IoStatus;

// RFC 2253, with everything escaped that is not printable ASCII.
std::string subject_of(const X509* certificate) {
  const BioPtr memory(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(memory.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<size_t>(length)};
}

std::string fingerprint_of(const X509* certificate) {
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  X509_digest(certificate, EVP_sha256(), digest.data(), &size);
  return to_hex(std::span(digest).first(size));
}

class TlsTransport final : public net::Transport {
 public:
  TlsTransport(SslPtr ssl, const AlpnProtocols& alpn, std::string peer);
  // That nobody said close_notify is no reason to forget the session (RFC 5246 section 7.2.1), nor
  // is a successor's way of ending. After a fatal alert OpenSSL has forgotten it.
  ~TlsTransport() override {
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
  TlsTransport(const TlsTransport&) = delete;
  TlsTransport& operator=(const TlsTransport&) = delete;

  IoResult handshake(int fd) override;
  std::unique_ptr<net::Transport> take_successor() override;
  IoResult read(int fd, std::span<char> into) override;
  IoResult write(int fd, std::span<const char> from) override;
  IoResult finish(int fd) override;
  bool has_buffered() const override {
    return SSL_has_pending(ssl_.get()) == 1 || !received_.empty();
  }
  std::string error_text() const override { return error_; }
  std::string_view protocol() const override;
  bool secure() const override { return true; }
  std::unique_ptr<net::PeerFacts> take_peer_facts() override;

 private:
  static const BIO_METHOD* bio_method();
  static int on_read(BIO* bio, char* into, int size);
  static int on_write(BIO* bio, const char* from, int size);
  static long on_control(BIO* bio, int command, long, void*);
  static void on_message(int written, int version, int content_type, const void* bytes, size_t size,
                         SSL* ssl, void* notes);

  void prepare(int fd);
  int read_record(char* into, size_t size);
  int receive(char* into, size_t size);
  IoResult explain(int result);
  std::string refused_certificate() const;
  void answer_plain_http();

  HandshakeNotes notes_;
  SslPtr ssl_;
  const std::string peer_;  // whose certificate we verify
  std::string error_;
  std::string received_;    // and not yet given to OpenSSL
  size_t record_left_ = 0;  // of the record that OpenSSL is being given
  std::string plain_;       // what came in the place of a record
  bool shaking_hands_ = true;
  int fd_ = -1;
  int errno_ = 0;
  bool drained_ = false;
  bool ended_ = false;
};

TlsTransport::TlsTransport(SslPtr ssl, const AlpnProtocols& alpn, std::string peer)
    : notes_{.alpn = alpn, .client_secret = {}, .server_secret = {}},
      ssl_(std::move(ssl)),
      peer_(std::move(peer)) {
  SSL_set_app_data(ssl_.get(), &notes_);
  SSL_set_msg_callback(ssl_.get(), &on_message);
  SSL_set_msg_callback_arg(ssl_.get(), &notes_);
  BIO* bio = BIO_new(bio_method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
}

const BIO_METHOD* TlsTransport::bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "usher socket");
    BIO_meth_set_read(made, &TlsTransport::on_read);
    BIO_meth_set_write(made, &TlsTransport::on_write);
    BIO_meth_set_ctrl(made, &TlsTransport::on_control);
    return made;
  }();
  return method;
}

int TlsTransport::on_read(BIO* bio, char* into, int size) {
  auto& self = *static_cast<TlsTransport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const bool direct = !self.shaking_hands_ && self.received_.empty();
  const auto room = static_cast<size_t>(size);
  const int got = direct ? self.receive(into, room) : self.read_record(into, room);
  if (got < 0 && self.errno_ == 0) BIO_set_retry_read(bio);
  return got;
}

// As BIO_read(): 0 at the end, -1 on an error (errno_ says which) or when there is nothing now.
int TlsTransport::receive(char* into, size_t size) {
  if (drained_) return -1;
  const ssize_t got = ::recv(fd_, into, size, 0);
  // In a handshake a peer's end may stand behind its last bytes, and no other event tells of it.
  drained_ = got < static_cast<ssize_t>(shaking_hands_ ? 1 : size);
  ended_ = got == 0;
  if (got < 0 && errno != EAGAIN && errno != EINTR) errno_ = errno;
  return static_cast<int>(got);
}

// Never more than what is left of one record.
int TlsTransport::read_record(char* into, size_t size) {
  while (received_.size() < (record_left_ == 0 ? record_header_size : 1)) {
    std::array<char, largest_record> buffer;
    const int got = receive(buffer.data(), buffer.size());
    if (got <= 0) return got;
    received_.append(buffer.data(), static_cast<size_t>(got));
  }
  if (record_left_ == 0) {
    // No type of record: OpenSSL will find out that it is HTTP, and not give it back.
    if (received_.front() >= 'A' && received_.front() <= 'Z') plain_ = received_;
    const auto byte = [&](size_t at) { return static_cast<size_t>(uint8_t(received_[at])); };
    record_left_ = record_header_size + (byte(3) << 8 | byte(4));
  }
  const size_t given = std::min({size, record_left_, received_.size()});
  std::copy_n(received_.begin(), given, into);
  received_.erase(0, given);
  record_left_ -= given;
  return static_cast<int>(given);
}

void TlsTransport::on_message(int written, int, int content_type, const void*, size_t, SSL*,
                              void* notes) {
  auto& noted = *static_cast<HandshakeNotes*>(notes);
  if (written && content_type == SSL3_RT_HEADER && noted.server_secret.size > 0) ++noted.sealed;
}

int TlsTransport::on_write(BIO* bio, const char* from, int size) {
  auto& self = *static_cast<TlsTransport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const ssize_t sent = ::send(self.fd_, from, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<int>(sent);
  if (errno == EAGAIN || errno == EINTR) {
    BIO_set_retry_write(bio);
  } else {
    self.errno_ = errno;
  }
  return -1;
}

long TlsTransport::on_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return static_cast<TlsTransport*>(BIO_get_data(bio))->ended_ ? 1 : 0;
  return 0;
}

void TlsTransport::prepare(int fd) {
  fd_ = fd;
  drained_ = false;
  ERR_clear_error();
}

IoResult TlsTransport::explain(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return {IoStatus::again};
    case SSL_ERROR_ZERO_RETURN: return {IoStatus::end};
    default: break;
  }
  if (errno_ != 0) {
    error_ = std::strerror(errno_);
    ERR_clear_error();
  } else if (std::string refused = refused_certificate(); !refused.empty()) {
    error_ = std::move(refused);
    ERR_clear_error();
  } else if (ended_) {
    error_ = "the connection was closed without close_notify";
    ERR_clear_error();
  } else if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST) {
    answer_plain_http();
    error_ = "plain HTTP on a port of TLS";
    ERR_clear_error();
  } else {
    error_ = take_error_text();
  }
  return {IoStatus::error};
}

// As far as the socket takes it at once. What it holds unread would make the close a reset, which
// may overtake the answer.
void TlsTransport::answer_plain_http() {
  const std::string answer = answer_to_plain_http(plain_);
  std::array<char, largest_record> rest;
  for (int times = 0; times < 4 && ::recv(fd_, rest.data(), rest.size(), 0) > 0; ++times)
    continue;
  if (::send(fd_, answer.data(), answer.size(), MSG_NOSIGNAL) > 0) ::shutdown(fd_, SHUT_WR);
}

std::string TlsTransport::refused_certificate() const {
  if (SSL_is_server(ssl_.get()) || !shaking_hands_) return {};
  const long verdict = SSL_get_verify_result(ssl_.get());
  if (verdict == X509_V_OK || SSL_get_verify_mode(ssl_.get()) == SSL_VERIFY_NONE) return {};
  return "the certificate of " + peer_ + " is refused: " + X509_verify_cert_error_string(verdict);
}

IoResult TlsTransport::handshake(int fd) {
  prepare(fd);
  const SecretsGoTo here(notes_);
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    shaking_hands_ = false;
    return {IoStatus::done};
  }
  const IoResult explained = explain(result);
  if (explained.status == IoStatus::error && ended_ && errno_ == 0) return {IoStatus::end};
  return explained.status == IoStatus::end ? IoResult{IoStatus::error} : explained;
}

std::unique_ptr<net::Transport> TlsTransport::take_successor() {
  const SSL* const ssl = ssl_.get();
  if (!SSL_is_server(ssl)) return nullptr;
  // RFC 6066 section 4: a client that asks for small records stays with OpenSSL, which makes them.
  const bool small_records = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl)) !=
                             TLSEXT_max_fragment_length_DISABLED;
  if (SSL_version(ssl) != TLS1_3_VERSION || SSL_has_pending(ssl) || record_left_ > 0 ||
      small_records) {
    return nullptr;
  }
  const uint16_t suite = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl));
  using Use = RecordProtection::Use;
  auto sealing = RecordProtection::make(suite, notes_.server_secret, Use::sealing, notes_.sealed);
  auto opening = RecordProtection::make(suite, notes_.client_secret, Use::opening, 0);
  if (!sealing || !opening) return nullptr;
  return make_tls13_transport({.sealing = std::move(*sealing),
                               .opening = std::move(*opening),
                               .received = std::move(received_),
                               .protocol = notes_.alpn.known(protocol())});
}

std::unique_ptr<net::PeerFacts> TlsTransport::take_peer_facts() {
  const X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
  if (!SSL_is_server(ssl_.get())) return nullptr;
  auto facts = std::make_unique<net::PeerFacts>();
  facts->tls = SSL_version(ssl_.get()) == TLS1_3_VERSION ? net::TlsVersion::tls_1_3
                                                         : net::TlsVersion::tls_1_2;
  facts->resumed = SSL_session_reused(ssl_.get()) == 1;
  facts->unknown_name = notes_.unknown_name;
  facts->cipher = SSL_get_cipher_name(ssl_.get());
  if (const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name))
    facts->server_name = name;
  if (certificate) {
    facts->subject = subject_of(certificate);
    facts->fingerprint = fingerprint_of(certificate);
  }
  return facts;
}

IoResult TlsTransport::read(int fd, std::span<char> into) {
  prepare(fd);
  size_t total = 0;
  while (total < into.size()) {
    size_t got = 0;
    const int result = SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &got);
    if (result == 1) {
      total += got;
      if (drained_ && SSL_has_pending(ssl_.get()) == 0) return {IoStatus::done, total, true};
      continue;
    }
    // What was read before an end or an error is delivered first; the next read meets it again.
    if (total > 0) {
      const bool again = SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ;
      return {IoStatus::done, total, again};
    }
    return explain(result);
  }
  return {IoStatus::done, total, false};
}

IoResult TlsTransport::write(int fd, std::span<const char> from) {
  prepare(fd);
  size_t sent = 0;
  const int result = SSL_write_ex(ssl_.get(), from.data(), from.size(), &sent);
  if (result == 1) return {IoStatus::done, sent};
  const IoResult explained = explain(result);
  // A close_notify from the peer does not stop us from writing; nothing else ends a write in order.
  return explained.status == IoStatus::end ? IoResult{IoStatus::error} : explained;
}

IoResult TlsTransport::finish(int fd) {
  prepare(fd);
  // 0: our close_notify is on its way and the peer's is still to come, which is for read() to see.
  const int result = SSL_shutdown(ssl_.get());
  if (result >= 0) return {IoStatus::done};
  const IoResult explained = explain(result);
  return explained.status == IoStatus::again ? explained : IoResult{IoStatus::done};
}

std::string_view TlsTransport::protocol() const {
  const unsigned char* name = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &length);
  return {reinterpret_cast<const char*>(name), length};
}

}  // namespace

std::unique_ptr<net::Transport> make_tls_transport(SslPtr ssl, const AlpnProtocols& alpn) {
  return std::make_unique<TlsTransport>(std::move(ssl), alpn, std::string());
}

std::unique_ptr<net::Transport> make_tls_client_transport(SslPtr ssl, std::string peer) {
  static const AlpnProtocols none({});
  return std::make_unique<TlsTransport>(std::move(ssl), none, std::move(peer));
}

}  // namespace usher::tls
