#include "tls/tls_transport.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace usher::tls {
namespace {

using net::IoResult;
using net::IoStatus;

class TlsTransport final : public net::Transport {
 public:
  TlsTransport(SslPtr ssl, const AlpnProtocols& alpn);

  IoResult handshake(int fd) override;
  IoResult read(int fd, std::span<char> into) override;
  IoResult write(int fd, std::span<const char> from) override;
  IoResult finish(int fd) override;
  bool has_buffered() const override { return SSL_has_pending(ssl_.get()) == 1; }
  std::string error_text() const override { return error_; }
  std::string_view protocol() const override;
  bool secure() const override { return true; }

 private:
  static const BIO_METHOD* bio_method();
  static int on_read(BIO* bio, char* into, int size);
  static int on_write(BIO* bio, const char* from, int size);
  static long on_control(BIO* bio, int command, long, void*);

  void prepare(int fd);
  IoResult explain(int result);

  SslPtr ssl_;
  AlpnProtocols alpn_;  // the context's ALPN callback reads it
  std::string error_;
  int fd_ = -1;
  int errno_ = 0;
  bool drained_ = false;
  bool ended_ = false;
};

TlsTransport::TlsTransport(SslPtr ssl, const AlpnProtocols& alpn)
    : ssl_(std::move(ssl)), alpn_(alpn) {
  SSL_set_app_data(ssl_.get(), &alpn_);
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
  if (self.drained_) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const ssize_t got = ::recv(self.fd_, into, static_cast<size_t>(size), 0);
  if (got > 0) {
    self.drained_ = got < size;
    return static_cast<int>(got);
  }
  if (got == 0) {
    self.ended_ = true;
    return 0;
  }
  if (errno == EAGAIN || errno == EINTR) {
    self.drained_ = true;
    BIO_set_retry_read(bio);
  } else {
    self.errno_ = errno;
  }
  return -1;
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
  } else if (ended_) {
    error_ = "the connection was closed without close_notify";
    ERR_clear_error();
  } else {
    error_ = take_error_text();
  }
  return {IoStatus::error};
}

IoResult TlsTransport::handshake(int fd) {
  prepare(fd);
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return {IoStatus::done};
  const IoResult explained = explain(result);
  if (explained.status == IoStatus::error && ended_ && errno_ == 0) return {IoStatus::end};
  return explained.status == IoStatus::end ? IoResult{IoStatus::error} : explained;
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
  return std::make_unique<TlsTransport>(std::move(ssl), alpn);
}

}  // namespace usher::tls
