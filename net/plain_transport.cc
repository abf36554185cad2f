#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/transport.h"

namespace usher::net {
namespace {

// What was read is still in the core's own cache when it is written again: 64 KiB cost half as much
// again for each byte (docs/performance.md).
constexpr size_t most_at_once = 32 * 1024;

class PlainTransport final : public Transport {
 public:
  IoResult handshake(int) override { return {IoStatus::done}; }

  IoResult read(int fd, std::span<char> into) override {
    into = into.first(std::min(into.size(), most_at_once));
    const ssize_t got = ::recv(fd, into.data(), into.size(), 0);
    if (got > 0) {
      const auto bytes = static_cast<size_t>(got);
      return {IoStatus::done, bytes, bytes < into.size()};
    }
    if (got == 0) return {IoStatus::end};
    return failed();
  }

  IoResult write(int fd, std::span<const char> from) override {
    const ssize_t sent = ::send(fd, from.data(), from.size(), MSG_NOSIGNAL);
    if (sent >= 0) return {IoStatus::done, static_cast<size_t>(sent)};
    return failed();
  }

  IoResult finish(int) override { return {IoStatus::done}; }
  bool has_buffered() const override { return false; }
  std::string error_text() const override { return std::strerror(error_); }

 private:
  IoResult failed() {
    if (errno == EAGAIN || errno == EINTR) return {IoStatus::again};
    error_ = errno;
    return {IoStatus::error};
  }

  int error_ = 0;
};

}  // namespace

std::unique_ptr<Transport> make_plain_transport() { return std::make_unique<PlainTransport>(); }

}  // namespace usher::net
