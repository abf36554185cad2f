#include "net/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace usher::net {
namespace {

constexpr int backlog = 4096;  // the kernel caps it at net.core.somaxconn
constexpr int accepts_per_turn = 32;
constexpr Duration rest_time{100};
// Where others make room: somebody may have gone by then.
constexpr Duration short_rest_time{10};

Error system_error(const SocketAddress& address, std::string_view call) {
  return {Errc::system, Side::usher,
          to_string(address) + ": " + std::string(call) + ": " + std::strerror(errno)};
}

void set_option(const Fd& fd, int level, int name, int value) {
  ::setsockopt(fd.get(), level, name, &value, sizeof value);
}

}  // namespace

Result<Fd> Listener::bind(const SocketAddress& address) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return system_error(address, "socket");
  prepare(fd);
  if (address.is_unix()) {
    // A socket file that a dead process left behind would make every start fail.
    struct stat info {};
    const std::string path = to_string(address).substr(5);
    if (::stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path.c_str());
  } else {
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (address.family() == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  if (::bind(fd.get(), address.data(), address.length()) != 0) return system_error(address, "bind");
  if (::listen(fd.get(), backlog) != 0) return system_error(address, "listen");
  return fd;
}

void Listener::prepare(const Fd& fd) {
  ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  // Accepted sockets inherit these; a unix socket has no use for them.
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

SocketAddress Listener::bound_address(const Fd& fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &length);
  return {reinterpret_cast<sockaddr*>(&storage), length};
}

Listener::Listener(Loop& loop, Fd fd, Accepted accepted, Resting resting, Ready ready)
    : fd_(std::move(fd)),
      accepted_(std::move(accepted)),
      resting_(std::move(resting)),
      ready_(std::move(ready)),
      rest_(loop, *this) {
  event_assign(&event_, loop.base(), fd_.get(), EV_READ | EV_PERSIST, &Listener::on_event, this);
  event_add(&event_, nullptr);
}

Listener::~Listener() { event_del(&event_); }

void Listener::on_event(evutil_socket_t, short, void* self) noexcept {
  static_cast<Listener*>(self)->accept_some();
}

bool Listener::accept_one() {
  if (ready_ && !ready_()) {
    rest({Errc::out_of_descriptors, Side::usher, "no room for another client"}, short_rest_time);
    return false;
  }
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  Fd fd(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &length,
                  SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.valid()) {
    tired_ = false;
    accepted_(std::move(fd), SocketAddress(reinterpret_cast<sockaddr*>(&peer), length));
    return true;
  }
  const bool full = errno == EMFILE || errno == ENFILE;
  if (full || errno == ENOBUFS || errno == ENOMEM) {
    const Errc code = full ? Errc::out_of_descriptors : Errc::system;
    rest({code, Side::usher, std::strerror(errno)}, rest_time);
    return false;
  }
  // ECONNABORTED and the like concern one peer that has gone already.
  return errno != EAGAIN;
}

void Listener::accept_some() {
  for (int i = 0; i < accepts_per_turn && accept_one(); ++i) {
  }
}

void Listener::accept_rest() {
  for (int i = 0; i < backlog && accept_one(); ++i) {
  }
}

void Listener::rest(Error why, Duration time) {
  event_del(&event_);
  rest_.start(time);
  if (!std::exchange(tired_, true)) resting_(why);
}

void Listener::on_rested() { event_add(&event_, nullptr); }

}  // namespace usher::net
