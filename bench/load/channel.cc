#include "bench/load/channel.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "bench/fail.h"

namespace usher::bench {

namespace {

std::array<char, 256 * 1024> buffer;

[[noreturn]] void fail_tls(const std::string& what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  fail(what + ": " + text.data());
}

}  // namespace

SSL_CTX* make_tls_context() {
  // OpenSSL's macros want them writable.
  std::string group = "X25519";
  std::string signature = "ECDSA+SHA256";
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1 ||
      SSL_CTX_set1_groups_list(context, group.data()) != 1 ||
      SSL_CTX_set1_sigalgs_list(context, signature.data()) != 1) {
    fail_tls("a TLS context");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

Channel::Channel(uint16_t port, SSL_CTX* tls)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  if (socket_ < 0) fail_errno("socket");
  int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 &&
      errno != EINPROGRESS) {
    fail_errno("connect");
  }
  if (tls == nullptr) return;
  ssl_ = SSL_new(tls);
  if (ssl_ == nullptr || SSL_set_fd(ssl_, socket_) != 1) fail_tls("SSL_new");
  SSL_set_connect_state(ssl_);
}

Channel::~Channel() {
  if (ssl_ != nullptr && established_) SSL_shutdown(ssl_);
  SSL_free(ssl_);
  ERR_clear_error();
  ::close(socket_);
}

bool Channel::establish() {
  if (established_) return true;
  if (!connected_) {
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &length);
    errno = error;
    if (error != 0) fail_errno("connect");
    connected_ = true;
    write_blocked_ = false;
  }
  if (ssl_ != nullptr) {
    write_blocked_ = false;
    int result = SSL_do_handshake(ssl_);
    if (result != 1) {
      check(result, "TLS handshake");
      if (ended_) fail("the proxy ended a TLS handshake");
      return false;
    }
    if (SSL_session_reused(ssl_) != 0) fail("a TLS session was resumed");
  }
  established_ = true;
  return true;
}

uint32_t Channel::wants() const {
  // While connecting nothing can be read; after that somebody always listens.
  if (!connected_) return EPOLLOUT;
  return write_blocked_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
}

void Channel::check(int result, const char* what) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: break;
    case SSL_ERROR_WANT_WRITE: write_blocked_ = true; break;
    case SSL_ERROR_ZERO_RETURN: ended_ = true; break;
    case SSL_ERROR_SYSCALL: fail_errno(what);
    default: fail_tls(what);
  }
}

size_t Channel::read_some(char* into, size_t room) {
  if (ssl_ != nullptr) {
    int count = SSL_read(ssl_, into, static_cast<int>(room));
    if (count > 0) return static_cast<size_t>(count);
    check(count, "TLS read");
    return 0;
  }
  ssize_t count = ::recv(socket_, into, room, into == nullptr ? MSG_TRUNC : 0);
  if (count < 0 && errno != EAGAIN) fail_errno("read");
  ended_ = count == 0;
  return count < 0 ? 0 : static_cast<size_t>(count);
}

void Channel::read(std::string& in) {
  size_t count = 0;
  do {
    count = read_some(buffer.data(), buffer.size());
    in.append(buffer.data(), count);
  } while (count > 0 && ssl_ != nullptr && SSL_has_pending(ssl_) == 1);
}

size_t Channel::discard(size_t most) {
  // recv() with MSG_TRUNC throws away without copying.
  if (ssl_ == nullptr) return read_some(nullptr, most);
  size_t all = 0;
  size_t count = 0;
  do {
    count = read_some(buffer.data(), std::min(buffer.size(), most - all));
    all += count;
  } while (count > 0 && all < most && SSL_has_pending(ssl_) == 1);
  return all;
}

size_t Channel::write(std::string_view bytes) {
  write_blocked_ = false;
  size_t all = 0;
  while (all < bytes.size()) {
    std::string_view rest = bytes.substr(all);
    if (ssl_ != nullptr) {
      int count = SSL_write(ssl_, rest.data(), static_cast<int>(rest.size()));
      if (count <= 0) {
        check(count, "TLS write");
        break;
      }
      all += static_cast<size_t>(count);
      continue;
    }
    ssize_t count = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) fail_errno("write");
    if (count < 0) {
      write_blocked_ = true;
      break;
    }
    all += static_cast<size_t>(count);
  }
  return all;
}

size_t Channel::write(const Payload& payload, size_t left) {
  if (ssl_ != nullptr) {
    size_t count = write(payload.bytes().substr(0, left));
    write_blocked_ = count < left;
    return count;
  }
  size_t sent = payload.send(socket_, left);
  write_blocked_ = sent < left;
  return sent;
}

std::string Channel::cryptography() const {
  if (ssl_ == nullptr) return "";
  auto group = static_cast<int>(SSL_get_negotiated_group(ssl_));
  return std::string(SSL_get_version(ssl_)) + " " + SSL_get_cipher_name(ssl_) + " " +
         SSL_group_to_name(ssl_, group);
}

}  // namespace usher::bench
