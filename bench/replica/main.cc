// usher_bench_replica PORT: what ./dev bench puts behind each proxy. HTTP/1.1 on the loopback:
//   GET /           2 bytes
//   GET /kib        1 KiB
//   GET /bytes/N    N bytes
//   POST            any path: says how many bytes it was sent
//   GET /events     server-sent events, at the pace that bench/stamp.h says
//   GET /ws/echo    a websocket that says what it hears
//   GET /ws/tokens  a websocket that, from the first message on, streams as /events, until "stop"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "bench/fail.h"
#include "bench/replica/connection.h"

namespace usher::bench {

class Acceptor : public Handler {
 public:
  Acceptor(Replica& replica, uint16_t port)
      : replica_(replica), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
        ::listen(socket_, 4096) < 0) {
      fail_errno("cannot listen");
    }
    replica_.poller.add(socket_, EPOLLIN, *this);
  }

  void on_ready(uint32_t) override {
    for (;;) {
      int socket = ::accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket < 0 && errno == EAGAIN) return;
      if (socket < 0) fail_errno("accept");
      int on = 1;
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      new Connection(replica_, socket);  // owns itself
    }
  }

 private:
  Replica& replica_;
  int socket_;
};

}  // namespace usher::bench

int main(int count, char** arguments) {
  using namespace usher::bench;
  if (count != 2) fail("usher_bench_replica PORT");
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::signal(SIGPIPE, SIG_IGN);
  Replica replica;
  Acceptor acceptor(replica, static_cast<uint16_t>(std::atoi(arguments[1])));
  for (;;) {
    replica.poller.wait(-1);
  }
}
